"""What the rules of PF4xx look at: one row with its tokens, and the count of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..preparation import MAX_LENGTH, SIDES, Rendered, Side
from ..types import Skip
from .sides import Sides, answer
from .vocabulary import Vocabulary


@dataclass(slots=True)
class Lesson:
    """One row: its messages, its tokens, and the tokenizer that made them."""

    sides: Sides
    rendered: Rendered
    words: Vocabulary

    @property
    def parted(self) -> bool:
        """The tokens of the prompt are not the beginning of both sides."""
        return self.rendered.shared < len(self.rendered.asked)

    @property
    def texts_go_on(self) -> bool:
        """The text of the prompt is the beginning of both sides."""
        return all(text.startswith(self.rendered.asked_text) for text in self.rendered.texts.values())

    def answer(self, side: Side) -> str:
        """What the assistant says on a side and not on both."""
        turns = self.sides.chosen if side == "chosen" else self.sides.rejected
        return answer(turns[self.sides.shared :])

    def completions(self) -> Iterator[tuple[Side, Sequence[int]]]:
        """Each side with the tokens that are trained on, before any cut."""
        for side in SIDES:
            yield side, self.rendered.completion(side)


@dataclass
class Preflight:
    """What training on a set will have, counted row by row.

    `inserted` is the system message that the template gives the `without_system` rows that have none. `tokens` are
    those of both sides of all rows that are kept, after the cut.
    """

    max_length: int | None = MAX_LENGTH
    batch_size: int = 8
    inserted: str | None = None
    rows: int = 0
    not_rendered: int = 0
    dropped: int = 0
    cut: int = 0
    alike: int = 0
    without_system: int = 0
    tokens: int = 0

    @property
    def rendered(self) -> int:
        return self.rows - self.not_rendered

    @property
    def kept(self) -> int:
        """Rows that the trainer trains on."""
        return self.rendered - self.dropped

    @property
    def signal(self) -> int:
        """Rows from which something can be learned: kept, with two sides that differ."""
        return self.kept - self.alike

    @property
    def tokens_a_step(self) -> float:
        """Tokens of one step without padding: `batch_size` pairs, prompt and completion of both sides."""
        return self.tokens / max(self.kept, 1) * self.batch_size

    def count(self, seen: Rendered | Skip, system: bool) -> None:
        """Takes one row into account; `system` says whether it has a system message of its own."""
        self.rows += 1
        if isinstance(seen, Skip):
            self.not_rendered += 1
            return
        self.without_system += not system
        if seen.dropped:
            self.dropped += 1
            return
        self.cut += any(seen.cut(side) for side in SIDES)
        self.alike += seen.kept("chosen") == seen.kept("rejected")
        self.tokens += sum(len(seen.kept(side)) for side in SIDES)

    def as_json(self) -> dict[str, Any]:
        """The counts as a flat JSON object."""
        names = ("rows", "signal", "not_rendered", "dropped", "cut", "alike", "without_system", "tokens")
        counts = {name: getattr(self, name) for name in names}
        return counts | {
            "max_length": self.max_length,
            "batch_size": self.batch_size,
            "inserted": self.inserted,
            "tokens_a_step": round(self.tokens_a_step),
        }
