"""The subject of the PF4xx rules: the tokenizer, one row with its tokens, and the counts of all rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from ..text import folded
from ..tokenization import MAX_LENGTH, Rendered
from ..types import SIDES, Side, Skip
from .row import Sides


class CheckedTokenizer:
    """A tokenizer of transformers, with what the PF4xx rules need to know of it.

    `ends` are the ids at which the model stops; none given: the tokenizer's special tokens.
    """

    def __init__(self, tokenizer: Any, ends: Collection[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.bos: int | None = tokenizer.bos_token_id
        added = {token.content: index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        named = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        self.specials: dict[str, int] = added | dict(named)
        eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self.ends = frozenset([*ends, *eos]) if ends else frozenset([*self.specials.values(), *eos])
        borrowed = {self.bos, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self.unknown: int | None = None if tokenizer.unk_token_id in borrowed else tokenizer.unk_token_id
        self._special = re.compile("|".join(map(re.escape, sorted(self.specials, key=len, reverse=True))) or r"(?!)")
        self._marks = {token[:2] for token in self.specials}
        self._known: set[str] = set()
        self._lost: set[str] = set()
        self.blank = cache(lambda token: not self.text([token]).strip())

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of these tokens, special ones included."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def endings(self, ids: Sequence[int]) -> list[int]:
        """Return the end tokens with which a completion ends, without blank ones before, between and after them."""
        found: list[int] = []
        for token in reversed(ids):
            if token in self.ends:
                found.append(token)
            elif not self.blank(token):
                break
        return found

    def blank_only(self, ids: Sequence[int]) -> bool:
        """Return whether a completion is nothing but blanks and end tokens."""
        return all(token in self.ends or self.blank(token) for token in ids)

    def special(self, text: str) -> str | None:
        """Return a special token in a text that the tokenizer takes for the real one."""
        if any(mark in text for mark in self._marks) and (found := {*self._special.findall(text)}):
            ids = {*self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]}
            return next((token for token in sorted(found) if self.specials[token] in ids), None)
        return None

    def lost_share(self, text: str, ids: Sequence[int]) -> float:
        """Return the share of a completion that the tokenizer can't hold.

        Unknown tokens among its tokens; where there is no such token, characters that are lost on the way there and
        back among those of its text.
        """
        if self.unknown is not None:
            return ids.count(self.unknown) / max(len(ids), 1)
        # Spaces, controls and marks that go with a letter may rightly be changed.
        tried = [sign for sign in sorted({*text} - self._known) if unicodedata.category(sign)[0] not in "ZCM"]
        if tried:
            encoded = self.tokenizer(tried, add_special_tokens=False, verbose=False)["input_ids"]
            there = zip(tried, map(self.text, encoded), strict=True)
            self._lost |= {sign for sign, back in there if folded(sign) not in folded(back)}
        self._known.update(text)
        return 0.0 if self._lost.isdisjoint(text) else sum(sign in self._lost for sign in text) / len(text)


@dataclass(slots=True)
class TokenizedPair:
    """One row: its messages, its tokens, and the tokenizer that made them."""

    sides: Sides
    rendered: Rendered
    tokenizer: CheckedTokenizer

    @property
    def prompt_differs(self) -> bool:
        """Return whether the tokens of the prompt are not the beginning of both sides."""
        return self.rendered.shared < len(self.rendered.asked)

    @property
    def texts_continue(self) -> bool:
        """Return whether the text of the prompt is the beginning of both sides."""
        return all(text.startswith(self.rendered.asked_text) for text in self.rendered.texts.values())

    def answer(self, side: Side) -> str:
        """Return what the assistant says on one side only."""
        return self.sides.said()[SIDES.index(side)]

    def completions(self) -> Iterator[tuple[Side, Sequence[int]]]:
        """Yield each side with the tokens that are trained on, before any cut."""
        return ((side, self.rendered.completion(side)) for side in SIDES)


@dataclass
class TokenCounts:
    """Counts of what training on a dataset will have.

    `inserted` is the system message that the template gives the `without_system` rows that have none. `tokens` are
    those of both sides of all rows that are kept, after the cut.
    """

    max_length: int | None = MAX_LENGTH
    inserted: str | None = None
    batch_size: int = 8
    """Pairs that TRL takes in one step by default."""
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
        """Count one row; `system` says whether it has a system message of its own."""
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
        """Return the counts as a flat JSON object."""
        return asdict(self) | {"signal": self.signal, "tokens_a_step": round(self.tokens_a_step)}
