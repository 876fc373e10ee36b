"""The renamer: it finds the names in a text and replaces them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypedDict, get_args

from ..errors import InputError
from ..options.correction import Case, Match
from ..text import did_you_mean, lone_surrogate
from .articles import with_articles
from .boundaries import INSIDE, Occurrence, Replacement
from .matchers import ExpressionMatcher, NameMatcher

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Options(TypedDict, total=False):
    """Options of how names are found and written; `Renamer` explains them."""

    case: Case
    match: Match
    fold_width: bool
    article: bool
    inside: Collection[str]


@dataclass(frozen=True)
class Renamer:
    """Names to replace, in one pass, the longest first.

    Raises InputError for rules and options that can't be used.

    Args:
        rules: old names to new ones; a name whose new name is itself is kept.
        case: "exact", or "smart": QWEN becomes DEEP QWEN, qwen deep qwen.
        match: "literal", or "regex": the old names are regular expressions, \\1 in the new ones is a group.
        fold_width: full-width and half-width forms are the same name.
        article: an English a or an before a name is corrected.
        inside: of what is listed in `INSIDE`, names are replaced within these as well.
    """

    rules: Mapping[str, str]
    case: Case = "exact"
    match: Match = "literal"
    fold_width: bool = False
    article: bool = False
    inside: Collection[str] = ()

    def __post_init__(self) -> None:
        known = {"case": get_args(Case), "match": get_args(Match), "inside": INSIDE}
        for option, given in (("case", [self.case]), ("match", [self.match]), ("inside", self.inside)):
            if unknown := [value for value in given if value not in known[option]]:
                fix = did_you_mean(unknown[0], known[option]) or f"use {', '.join(known[option])}"
                raise InputError(f"--{option} {unknown[0]!r} is unknown", fix=fix)
        if self.match == "regex" and (self.case == "smart" or self.fold_width):
            raise InputError("--case smart and --fold-width need --match literal", fix="write (?i) into the expression")
        for name in (name for rule in self.rules.items() for name in rule):
            if not isinstance(name, str) or lone_surrogate(name):
                raise InputError(f"{name!r} is not a name: it must be a text in UTF-8", fix="give names as texts")
        if any(not source.strip() for source in self.rules):
            raise InputError("a name to replace is empty", fix='e.g. --from Qwen --to "Deep Qwen"')
        _ = self._matcher

    def rename(self, text: str) -> str:
        """Return the text with the new names. It is idempotent, unless a new name is another rule's old one."""
        parts, at = [], 0
        for replacement in self.hits(text):
            parts += [text[at : replacement.start], replacement.target]
            at = replacement.end
        return "".join([*parts, text[at:]])

    def hits(self, text: str) -> list[Replacement]:
        """Return where the rules apply, in order, not overlapping."""
        replacements = [found.replacement for found in self.find(text) if found.kept is None]
        return list(with_articles(text, replacements)) if self.article else replacements

    def find(self, text: str) -> Iterator[Occurrence]:
        """Yield every old name in the text, replaced or not."""
        return iter(self._found(text))

    @cached_property
    def _found(self) -> Callable[[str], tuple[Occurrence, ...]]:
        """What finds the names in a text, and keeps those of the last few: the same text is looked at several times."""
        return lru_cache(maxsize=4)(lambda text: (*self._matcher.find(text),))

    @cached_property
    def _matcher(self) -> NameMatcher | ExpressionMatcher:
        inside = frozenset(self.inside)
        if self.match == "regex":
            return ExpressionMatcher(self.rules, inside)
        return NameMatcher(self.rules, self.case == "smart", self.fold_width, inside)


def rename(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> str:
    """Return the text with every name in `rules` (old -> new) replaced; the options are those of `Renamer`."""
    return renamer(rules, **options).rename(text)


def hits(text: str, rules: Mapping[str, str], **options: Unpack[Options]) -> list[Replacement]:
    """Return where the rules apply, in order, not overlapping."""
    return renamer(rules, **options).hits(text)


def mentions(text: str, name: str, outside: Iterable[str] = ()) -> int:
    """Count the name in the text, by the same word boundaries and not within one of the longer names in `outside`."""
    rules = {name: name} | {longer: longer for longer in outside if longer != name}
    return sum(found.source == name for found in hits(text, rules))


def renamer(rules: Mapping[str, str], **options: Unpack[Options]) -> Renamer:
    """Return the renamer of these rules and options, always the same one: its patterns are compiled once."""
    inside = tuple(options.get("inside", ()))
    return _cached_renamer(tuple(rules.items()), tuple(sorted((options | {"inside": inside}).items())))


@lru_cache(maxsize=256)
def _cached_renamer(rules: tuple[tuple[str, str], ...], options: tuple[tuple[str, Any], ...]) -> Renamer:
    return Renamer(dict(rules), **dict(options))
