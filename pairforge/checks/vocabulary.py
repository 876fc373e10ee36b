"""What a tokenizer marks a beginning and an end with, and what it can't hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any


class Vocabulary:
    """A tokenizer of transformers, asked what the rules of the trainer want to know.

    `ends` are the ids at which the model stops; none given: the tokenizer's special tokens.
    """

    def __init__(self, tokenizer: Any, ends: Collection[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.bos: int | None = tokenizer.bos_token_id
        added = {token.content: index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.specials: dict[str, int] = added | dict(
            zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        )
        eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self.ends = frozenset([*ends, *eos]) if ends else frozenset([*self.specials.values(), *eos])
        borrowed = {self.bos, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self.unknown: int | None = None if tokenizer.unk_token_id in borrowed else tokenizer.unk_token_id
        self._special = re.compile("|".join(map(re.escape, sorted(self.specials, key=len, reverse=True))) or r"(?!)")
        self._marks = {token[:2] for token in self.specials}
        self._known: set[str] = set()
        self._lost: set[str] = set()
        self.blank = cache(self._blank)

    def text(self, ids: Sequence[int]) -> str:
        """The text of these tokens, special ones included."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def endings(self, ids: Sequence[int]) -> list[int]:
        """The end tokens with which a completion ends, blank ones before, between and behind them left out."""
        found: list[int] = []
        for token in reversed(ids):
            if token in self.ends:
                found.append(token)
            elif not self.blank(token):
                break
        return found

    def hollow(self, ids: Sequence[int]) -> bool:
        """Whether a completion is nothing but blanks and end tokens."""
        return all(token in self.ends or self.blank(token) for token in ids)

    def special(self, text: str) -> str | None:
        """A special token that stands in a text, and that the tokenizer takes for the real one."""
        if any(mark in text for mark in self._marks) and (found := {*self._special.findall(text)}):
            ids = {*self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]}
            return next((token for token in sorted(found) if self.specials[token] in ids), None)
        return None

    def unsaid(self, text: str, ids: Sequence[int]) -> float:
        """The share of a completion that the tokenizer can't hold.

        Unknown tokens among its tokens; where there is no such token, characters that are lost on the way there and
        back among those of its text.
        """
        if self.unknown is not None:
            return ids.count(self.unknown) / max(len(ids), 1)
        self._learn({*text} - self._known)
        if self._lost.isdisjoint(text):
            return 0.0
        return sum(sign in self._lost for sign in text) / len(text)

    def _learn(self, signs: set[str]) -> None:
        # Spaces, controls and marks that go with a letter may rightly be changed.
        tried = [sign for sign in sorted(signs) if unicodedata.category(sign)[0] not in "ZCM"]
        if tried:
            ids = self.tokenizer(tried, add_special_tokens=False, verbose=False)["input_ids"]
            there = zip(tried, map(self.text, ids), strict=True)
            self._lost |= {sign for sign, back in there if _folded(sign) not in _folded(back)}
        self._known |= signs

    def _blank(self, token: int) -> bool:
        return not self.text([token]).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
