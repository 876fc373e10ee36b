"""A model's tokenizer alone: what training on the model reads rows with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import report
from ..checks.preflight import Watch
from ..samplers.loading import generation_settings, load_tokenizer
from ..samplers.rendering import Chat
from .asking import model_source


@dataclass(frozen=True)
class Reader:
    """A tokenizer with a chat template, the ids at which its model stops, and the system message it inserts."""

    tokenizer: Any
    ends: tuple[int, ...]
    inserted: str | None

    def watch(self, max_length: int) -> Watch:
        """Looks at rows for PF4xx while they go by."""
        return Watch(self.tokenizer, max_length=max_length, ends=self.ends, inserted=self.inserted)


def open_reader(model: str, revision: str | None = None, quiet: bool = False) -> Reader:
    """The tokenizer of a model: a Hub id, a folder, or "pocket". No weights are loaded.

    One without a chat template gets `types.PLAIN_TEMPLATE`, as in training. Raises InputError or OutsideError.
    """
    source = model_source(model)
    chat = Chat(load_tokenizer(source, revision))
    if chat.plain and not quiet:
        report.note(f"{model} has no chat template: a plain one (User: / Assistant:) is used")
    ends = generation_settings(source, revision).eos_token_id
    stops = ends if isinstance(ends, list) else [] if ends is None else [ends]
    return Reader(chat.tokenizer, tuple(stops), chat.inserted_system())
