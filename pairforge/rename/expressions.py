"""Rules whose old names are the user's own regular expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import regex

from ..errors import InputError
from .hit import Found, Hit
from .places import Places

TIMEOUT = 2.0
"""Seconds that one expression may take in one text."""


class Expressions:
    """All rules at once: of two that match, the first, and there the longest, is taken."""

    def __init__(self, rules: Mapping[str, str], inside: frozenset[str]) -> None:
        self.inside = inside
        self.rules = [(_compiled(source, target), source, target) for source, target in sorted(rules.items())]

    def find(self, text: str) -> Iterator[Found]:
        """Every match in the text, in order, not overlapping."""
        places = Places(text)
        found = [_search(pattern, source, text, 0) for pattern, source, _ in self.rules]
        while matches := [(match.start(), -match.end(), i) for i, match in enumerate(found) if match]:
            first = min(matches)[2]
            match, (_, source, target) = found[first], self.rules[first]
            assert match is not None
            hit = Hit(*match.span(), source, match.expand(target))
            yield Found(hit, "new" if _is_new(text, hit) else places.at(hit.start, hit.end, self.inside))
            for i, (pattern, source, _) in enumerate(self.rules):
                if (late := found[i]) is not None and late.start() < hit.end:
                    found[i] = _search(pattern, source, text, hit.end)


def _compiled(source: str, target: str) -> regex.Pattern[str]:
    try:
        pattern = regex.compile(source)
        # Where nothing matches, every group is empty; an unknown one is an error all the same.
        regex.sub(f"(?:{source}\n)|", target, "")
    except (regex.error, IndexError) as error:
        raise InputError(
            f"{source!r} -> {target!r}: {error}", fix="mend the expression, or use match literal"
        ) from error
    if pattern.fullmatch(""):
        raise InputError(f"{source!r} matches the empty text", fix="use + for *")
    return pattern


def _search(pattern: regex.Pattern[str], source: str, text: str, at: int) -> regex.Match[str] | None:
    try:
        return next((match for match in pattern.finditer(text, at, timeout=TIMEOUT) if match.group()), None)
    except TimeoutError as error:
        what = f"{source!r} takes more than {TIMEOUT:g} s in a text of {len(text)} characters"
        raise InputError(what, fix="nest no + or * within another") from error


def _is_new(text: str, hit: Hit) -> bool:
    """Whether the match already stands within what would be written for it."""
    old, new = text[hit.start : hit.end], hit.target
    shifts = [shift for shift in range(len(new) - len(old) + 1) if new.startswith(old, shift)] if old != new else []
    return any(hit.start >= shift and text.startswith(new, hit.start - shift) for shift in shifts)
