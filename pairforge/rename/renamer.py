"""Finds the names in a text and replaces them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ..errors import InputError
from ..text import lone_surrogate
from .articles import with_articles
from .boundaries import INSIDE, Found, Hit
from .matchers import Expressions, NameMatcher

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Options(TypedDict, total=False):
    """How names are found and written; what each means stands in `Renamer`."""

    case: Literal["exact", "smart"]
    match: Literal["literal", "regex"]
    fold_width: bool
    article: bool
    inside: Collection[str]


@dataclass(frozen=True)
class Renamer:
    """Names to replace (old -> new), in one pass, the longest first; a name whose new name is itself is kept.

    case        "exact", or "smart": QWEN becomes DEEP QWEN, qwen deep qwen
    match       "literal", or "regex": the old names are regular expressions, \\1 in the new ones is a group
    fold_width  full-width and half-width forms are the same name
    article     an English a or an before a name is put right
    inside      of what is listed in `INSIDE`, names are replaced within these as well

    Raises InputError for rules and options that can't be used.
    """

    rules: Mapping[str, str]
    case: Literal["exact", "smart"] = "exact"
    match: Literal["literal", "regex"] = "literal"
    fold_width: bool = False
    article: bool = False
    inside: Collection[str] = ()

    def __post_init__(self) -> None:
        known = {"case": ("exact", "smart"), "match": ("literal", "regex"), "inside": INSIDE}
        for option, given in (("case", [self.case]), ("match", [self.match]), ("inside", self.inside)):
            if unknown := [value for value in given if value not in known[option]]:
                raise InputError(f"{option} {unknown[0]!r} is unknown", fix=f"use {', '.join(known[option])}")
        if self.match == "regex" and (self.case == "smart" or self.fold_width):
            raise InputError("smart case and folded width go with literal names", fix="write (?i) into the expression")
        for name in (name for rule in self.rules.items() for name in rule):
            if not isinstance(name, str) or lone_surrogate(name):
                raise InputError(f"{name!r} is no name: not a text that UTF-8 can hold", fix="give names as texts")
        if any(not source.strip() for source in self.rules):
            raise InputError("a name to replace is empty", fix='e.g. --from Qwen --to "Deep Qwen"')
        _ = self._finder

    def rename(self, text: str) -> str:
        """The text with the new names. A second time nothing changes, except where a new name is another's old one."""
        parts, at = [], 0
        for hit in self.hits(text):
            parts += [text[at : hit.start], hit.target]
            at = hit.end
        return "".join([*parts, text[at:]])

    def hits(self, text: str) -> list[Hit]:
        """Where the rules apply, in order, not overlapping."""
        hits = [found.hit for found in self.find(text) if found.stays is None]
        return list(with_articles(text, hits)) if self.article else hits

    def find(self, text: str) -> Iterator[Found]:
        """Every old name in the text, replaced or not."""
        return self._finder.find(text)

    @cached_property
    def _finder(self) -> NameMatcher | Expressions:
        inside = frozenset(self.inside)
        if self.match == "regex":
            return Expressions(self.rules, inside)
        return NameMatcher(self.rules, self.case == "smart", self.fold_width, inside)


def rename(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> str:
    """The text with every name in `rules` (old -> new) replaced; the options are those of `Renamer`."""
    return renamer(rules, **options).rename(text)


def hits(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> list[Hit]:
    """Where the rules apply, in order, not overlapping."""
    return renamer(rules, **options).hits(text)


def mentions(text: str, name: str, outside: Iterable[str] = ()) -> int:
    """How often the name stands in the text by the same edges; not within one of the longer names in `outside`."""
    rules = {name: name} | {longer: longer for longer in outside if longer != name}
    return sum(hit.source == name for hit in hits(text, rules))


def renamer(rules: Mapping[str, str], **options: Unpack[Options]) -> Renamer:
    """The same renamer for the same rules and options: its patterns are made once."""
    inside = tuple(options.get("inside", ()))
    return _renamer(tuple(rules.items()), tuple(sorted((options | {"inside": inside}).items())))


@lru_cache(maxsize=256)
def _renamer(rules: tuple[tuple[str, str], ...], options: tuple[tuple[str, Any], ...]) -> Renamer:
    return Renamer(dict(rules), **dict(options))
