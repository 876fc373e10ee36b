"""Replace names in text: script-aware, idempotent, many rules in one pass.

A name is found where it is a word of its own script: `我是Qwen模型`, `Qwen's` and `**Qwen**` hold the name Qwen;
`Qwenty`, `Qwen2.5`, `Qwen_agent`, `Qwen/Qwen2.5-0.5B`, `chat.qwen.ai` and code spans don't. A name that is already
the new one is kept.
"""

from .boundaries import INSIDE, Occurrence, Replacement
from .leftovers import Leftover, leftovers, leftovers_of
from .renamer import Options, Renamer, hits, mentions, rename
from .rules_file import read_rules

__all__ = [
    "INSIDE",
    "Leftover",
    "Occurrence",
    "Options",
    "Renamer",
    "Replacement",
    "hits",
    "leftovers",
    "leftovers_of",
    "mentions",
    "read_rules",
    "rename",
]
