"""Matchers of old names: literal names in all their written forms, and the user's own regular expressions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import regex

from ..errors import InputError
from .boundaries import NonProseSpans, Occurrence, Replacement, left_boundary, right_boundary

TIMEOUT = 2.0
"""Seconds that one expression may take in one text."""


class ExpressionMatcher:
    """All rules of regular expressions: of two that match, the first one, and there the longest, is taken."""

    def __init__(self, rules: Mapping[str, str], inside: frozenset[str]) -> None:
        self.inside = inside
        self.rules = [(_compiled(source, target), source, target) for source, target in sorted(rules.items())]

    def find(self, text: str) -> Iterator[Occurrence]:
        """Yield every match in the text, in order, not overlapping."""
        spans = NonProseSpans(text)
        found = [_search(pattern, source, text, 0) for pattern, source, _ in self.rules]
        while matches := [(match.start(), -match.end(), i) for i, match in enumerate(found) if match]:
            first = min(matches)[2]
            match, (_, source, target) = found[first], self.rules[first]
            assert match is not None
            (start, end), new = match.span(), match.expand(target)
            yield Occurrence(
                Replacement(start, end, source, new),
                "new" if _is_new(text, start, end, new) else spans.kind_at(start, end, self.inside),
            )
            for i, (pattern, source, _) in enumerate(self.rules):
                if (late := found[i]) is not None and late.start() < end:
                    found[i] = _search(pattern, source, text, end)


def _compiled(source: str, target: str) -> regex.Pattern[str]:
    try:
        pattern = regex.compile(source)
        # Where nothing matches, every group is empty; an unknown one is an error all the same.
        regex.sub(f"(?:{source}\n)|", target, "")
    except (regex.error, IndexError) as error:
        raise InputError(
            f"{source!r} -> {target!r}: {error}", fix="correct the expression, or use --match literal"
        ) from error
    if pattern.fullmatch(""):
        raise InputError(f"{source!r} matches the empty text", fix="use + instead of *")
    return pattern


def _search(pattern: regex.Pattern[str], source: str, text: str, at: int) -> regex.Match[str] | None:
    try:
        return next((match for match in pattern.finditer(text, at, timeout=TIMEOUT) if match.group()), None)
    except TimeoutError as error:
        what = f"{source!r} takes more than {TIMEOUT:g} s in a text of {len(text)} characters"
        raise InputError(what, fix="do not nest + or * within another") from error


def _is_new(text: str, start: int, end: int, new: str) -> bool:
    """Return True if text[start:end] is already part of what would be written for it."""
    old = text[start:end]
    shifts = [at for at in range(len(new) - len(old) + 1) if new.startswith(old, at)] if old != new else []
    return any(start >= shift and text.startswith(new, start - shift) for shift in shifts)


_GAP = r"(?=\s)[^\S\n]*+\n?+[^\S\n]*+"
"""White space in a name: any, with one line break at most."""
_LOOSE_GAP = r"(?:[-‐‑]|(?=[*_~]*\s)(?:[*_~]|[^\S\n])*+\n?+(?:[*_~]|[^\S\n])*+)"
"""The same, or a hyphen, or where emphasis begins or ends: Deep-Qwen and Deep **Qwen** are Deep Qwen already."""
_ALIKE = ("'’ʼ＇", "-‐‑")


@dataclass(frozen=True)
class NameForm:
    """One form of an old name, what to write for it, and how to find it.

    `letters` matches it, `before` and `after` match where it is part of something longer, and `new` where it is part of
    a new name.
    """

    source: str
    target: str
    letters: regex.Pattern[str]
    before: regex.Pattern[str]
    after: regex.Pattern[str]
    new: regex.Pattern[str]

    def kept(self, text: str, start: int, end: int) -> str | None:
        """Return why the name at text[start:end] is kept because of the text beside it; None if it is not."""
        if self.new.match(text, start):
            return "new"
        boundary = self.before.match(text, start) or self.after.match(text, end)
        return boundary.lastgroup if boundary else None


class NameMatcher:
    """All forms of all old names: of two that begin at one place, the longest is taken."""

    def __init__(self, rules: Mapping[str, str], smart: bool, fold_width: bool, inside: frozenset[str]) -> None:
        forms = sorted(_forms(rules, smart).items(), key=lambda item: (-len(item[0]), item[0]))
        flags = regex.V1 | (regex.IGNORECASE if smart else 0)
        whole = inside.isdisjoint(("word", "version"))
        self.inside = inside
        self._by_first: dict[str, list[NameForm]] = {}
        for form, (source, target) in forms:
            letters = regex.compile(literal(form, fold_width), regex.V1)
            new = regex.compile(_within(form, rules.values(), fold_width, whole), flags)
            name = NameForm(source, target, letters, left_boundary(form, inside), right_boundary(form, inside), new)
            for first in {first[0] for first in letter_forms(_normal(form, fold_width)[0], fold_width)}:
                self._by_first.setdefault(first, []).append(name)
        self._any = regex.compile("|".join(literal(form, fold_width) for form, _ in forms) or "(?!)", regex.V1)

    def find(self, text: str) -> Iterator[Occurrence]:
        """Yield every old name in the text, in order; the next may begin at the end of one that is replaced."""
        spans, at = None, 0
        while match := self._any.search(text, at):
            spans = spans or NonProseSpans(text)
            at = match.start() + 1
            for name in self._by_first[text[match.start()]]:
                if letters := name.letters.match(text, match.start()):
                    start, end = letters.span()
                    kept = spans.kind_at(start, end, self.inside) or name.kept(text, start, end)
                    yield Occurrence(Replacement(start, end, name.source, name.target), kept)
                    if kept is None:
                        at = end
                        break


def literal(name: str, fold_width: bool = False, gap: str = _GAP) -> str:
    """Return the pattern of the letters of a name, in any Unicode normal form, with any white space for a space."""
    words = _normal(name, fold_width).split()
    return gap.join("".join(_letter(char, fold_width) for char in word) for word in words)


def _normal(name: str, fold_width: bool) -> str:
    return unicodedata.normalize("NFKC" if fold_width else "NFC", name)


def _forms(rules: Mapping[str, str], smart: bool) -> dict[str, tuple[str, str]]:
    """Return each form of an old name, with the name and what to write for it. Forms given by a rule have priority."""
    forms = {source.strip(): (source, target) for source, target in sorted(rules.items())}
    for source, target in sorted(rules.items()) if smart else ():
        for change in (_capital, str.capitalize, str.upper, str.lower):
            replacement = _capital(target) if change is str.capitalize else change(target)
            forms.setdefault(change(source.strip()), (source, replacement))
    return forms


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _within(name: str, targets: Iterable[str], fold_width: bool, whole: bool) -> str:
    """Return a pattern of a name where it is within a new name that holds it, as a `whole` word or not."""
    letters = literal(name, fold_width)
    contexts = {
        (_side(target[: match.start()], fold_width), _side(target[match.end() :], fold_width) + _end(match, whole))
        for target in targets
        for match in regex.finditer(letters, target, regex.V1 | regex.IGNORECASE, overlapped=True)
        if match.group() != target
    }
    return "|".join(f"(?<={before}){letters}(?={after})" for before, after in sorted(contexts)) or "(?!)"


def _side(text: str, fold_width: bool) -> str:
    """Return the pattern of the part of a new name before or after the old one in it."""
    gaps = [_LOOSE_GAP if side != side.strip() else "" for side in (text[:1], text[-1:])]
    return gaps[0] + literal(text, fold_width, _LOOSE_GAP) + gaps[1] if text.strip() else gaps[0]


def _end(match: regex.Match[str], whole: bool) -> str:
    """Return the boundary after a new name: Yi A is not in Yi Assistant.

    What is written as one word with a name in another script is written so with the new name, too.
    """
    target: str = match.string
    ends = (match.group()[-1], target[-1])
    latin = match.end() < len(target) and all(end.isascii() and end.isalnum() for end in ends)
    return r"(?![[\p{Latin}&&\p{Ll}]\d])" if latin and whole else ""


def _letter(char: str, fold_width: bool) -> str:
    forms = letter_forms(char, fold_width)
    literals = [regex.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form))]
    return literals[0] if len(literals) == 1 else f"(?:{'|'.join(literals)})"


@lru_cache(maxsize=4096)
def letter_forms(char: str, fold_width: bool) -> frozenset[str]:
    """Return a character in all its canonical forms and, if asked for, widths; hyphens are equal, apostrophes too."""
    alike = next((signs for signs in _ALIKE if char in signs), "")
    return frozenset([*alike, *_canonical(char), *(_widths().get(char, ()) if fold_width else ())])


def _canonical(char: str) -> Iterator[str]:
    """Yield a character composed, decomposed, and in between (\u1ec7 is also \u00ea and a dot below)."""
    decomposed = unicodedata.normalize("NFD", char)
    base, marks = decomposed[0], decomposed[1:4]
    for order in permutations(marks):
        for i in range(len(order) + 1):
            form = unicodedata.normalize("NFC", base + "".join(order[:i])) + "".join(order[i:])
            if unicodedata.normalize("NFC", form) == char:
                yield form


@lru_cache(maxsize=1)
def _widths() -> dict[str, set[str]]:
    """Return the full-width and half-width forms of characters: Latin letters, signs, Katakana."""
    forms = dict[str, set[str]]()
    for code in range(0xFF01, 0xFFEF):
        for form in (chr(code), chr(code) + "\uff9e", chr(code) + "\uff9f"):
            usual = unicodedata.normalize("NFKC", form)
            if len(usual) == 1:
                forms.setdefault(usual, set()).add(form)
    return forms
