"""Replaces names in text: script-aware, idempotent, many rules in one pass.

A name is found where it stands as a word of its own script: `我是Qwen模型`, `Qwen's` and `**Qwen**` hold the name Qwen;
`Qwenty`, `Qwen2.5`, `Qwen_agent`, `Qwen/Qwen2.5-0.5B`, `chat.qwen.ai` and code spans don't. What already is a new name
stays as it is.
"""

from .boundaries import INSIDE, Found, Hit
from .leftovers import LOOKS, Leftover, leftovers
from .renamer import Options, Renamer, hits, mentions, rename
from .rules_file import read_rules

__all__ = [
    "INSIDE",
    "LOOKS",
    "Found",
    "Hit",
    "Leftover",
    "Options",
    "Renamer",
    "hits",
    "leftovers",
    "mentions",
    "read_rules",
    "rename",
]
