"""PF5xx: what must not be published with a dataset: tokens, keys and passwords; and what may belong to a person."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from ..resources import compiled, patterns
from ..types import Finding, Skip
from .rule import Observer, Seen, rule, rules_over
from .schema import leaves

_UNBROKEN = (
    bytes(ord("x") if chr(byte).isprintable() and chr(byte) not in ' "\\' else 32 for byte in range(128)) + b" " * 128
)
"""A table for `bytes.translate` that leaves x of what can be in a secret, and a space of all else."""
_A_ROW = 20
_encoded = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=str).encode
_RUN = re.compile(rb"x{20,}")
_DIGITS = bytes(ord("0") if chr(byte).isdigit() else byte for byte in range(128)) + b" " * 128
_SHORT = ("://", "PRIVATE KEY", "assword=")
"""The marks of what may have no such run ..."""
_APART = frozenset(("ecret", "SECRET", "uthorization", "key", "Key", "KEY", '"key', "oken", "TOKEN"))
"""... and those that may stand outside of it."""
_INVENTED = re.compile(r"(\d)\1*|\d*(?:12345|00000|98765)\d*")


class Texts:
    """The texts of a JSON value, keys too: all in one (`str`), for a quick look, and each with its JSON pointer."""

    def __init__(self, value: Any) -> None:
        self._value = value
        try:  # JSON escapes nothing that the rules look for
            self._whole = _encoded(value)
        except (ValueError, TypeError, RecursionError):
            self._whole = "\n".join(text for _, text in self)
        self.bytes = self._whole.encode("utf-8", "surrogatepass")

    def __str__(self) -> str:
        return self._whole

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((path, text) for path, text in leaves(self._value) if isinstance(text, str))


@functools.cache
def _shapes() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the name and the pattern of each kind of secret, by a text that is in all of that kind."""
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, mark, shape in (line.split(" | ", 2) for line in patterns("secrets")["shapes"]):
        found.setdefault(mark, []).append((name, re.compile(f"(?<![A-Za-z0-9])(?:{shape})", re.ASCII)))
    return found


@rule("PF501", over="secrets")
def secret(texts: Texts) -> Iterator[Seen]:
    """A text holds what looks like a token, a key or a private key block: whoever downloads the dataset can use it.

    Looked for in the rows, and by `push` in the settings of the run, too. A finding names the kind and the place, never
    the secret. Revoke a real one: it may be in other copies of the data.
    """
    whole, spaced, shapes = str(texts), texts.bytes.translate(_UNBROKEN), _shapes()
    likely = [one for mark in _SHORT if mark in whole for one in shapes[mark]]
    if b"x" * 20 in spaced:
        runs = b" ".join(texts.bytes[slice(*run.span())] for run in _RUN.finditer(spaced)).decode("ascii")
        likely += [one for mark in shapes if mark in (whole if mark in _APART else runs) for one in shapes[mark]]
    for path, text in texts if likely else ():
        if name := next((name for name, shape in likely if shape.search(text)), None):
            yield f"holds what looks like {name}", path


@rule("PF502", "warning", over="secrets")
def email_address(texts: Texts) -> Iterator[Seen]:
    """A text holds an e-mail address that may be a person's: a dataset on the Hub is copied, and stays.

    Invented ones (`ann@example.com`), those of programs (`noreply@...`) and of functions (`info@...`, `support@...`) do
    not count. A finding names the place, never the address.
    """
    if "@" in str(texts):
        for path, text in texts:
            if any(not compiled("contacts", "nobody").match(found[0]) for found in _emails(text)):
                yield "holds what looks like an e-mail address", path


@rule("PF503", "warning", over="secrets")
def phone_number(texts: Texts) -> Iterator[Seen]:
    """A text holds a phone number that may be a person's: a dataset on the Hub is copied, and stays.

    Invented ones (555-0123, 123-456-7890) and free ones (1-800-...) do not count. A finding names the place, never the
    number.
    """
    if b"0" * 9 in texts.bytes.translate(_DIGITS, b" -.()/"):
        for path, text in texts:
            numbers = (re.sub(r"\D", "", found[0]) for found in compiled("contacts", "phone").finditer(text))
            if any(not (_INVENTED.fullmatch(one) or compiled("contacts", "free").match(one)) for one in numbers):
                yield "holds what looks like a phone number", path


def _emails(text: str) -> Iterator[re.Match[str]]:
    return compiled("contacts", "email").finditer(text) if "@" in text else iter(())


class SecretChecker(Observer):
    """Checks every row, a pair or not; `codes` are those to look for (None: all)."""

    def __init__(self, codes: Collection[str] | None = None) -> None:
        self._rules = [one for one in rules_over("secrets") if codes is None or one.code in codes]

    def see(self, index: int | None, row: Any) -> list[Finding]:
        """Return what must not be published of a row (None: of what belongs to the dataset as a whole)."""
        if not self._rules or isinstance(row, Skip):
            return []
        texts = Texts(row)
        return [finding for one in self._rules for finding in one.findings(index, texts)][:_A_ROW]
