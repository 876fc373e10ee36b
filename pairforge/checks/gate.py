"""What stops a publication: every error, also a shortcut that is one, unless its check is allowed with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..text import did_you_mean, first_few, one_line, plural
from ..types import Finding, Severity
from . import RULES

_KEPT = 1000
"""How many refused findings of a code are kept; all are counted."""
_SECRET = "PF501"
_LONGEST = 300
"""Characters of a reason."""


@dataclass
class CodeCount:
    """How many rows the findings of one code are in, and which were the first; 0 rows: they are of the whole set."""

    severity: Severity
    message: str
    rows: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding, given in the order of the rows."""
        if finding.row is not None and finding.row not in self.first[-1:]:
            self.rows += 1
            self.first = [*self.first[:4], finding.row]  # the last one is the row that was counted last

    def __str__(self) -> str:
        if not self.rows:
            return self.message
        return f"{self.message} (in {plural(self.rows, 'row')}: {first_few(self.first, 4)})"


@dataclass
class Gate:
    """Takes the findings of one pass over the rows, and says whether they may be published.

    `allowed` is what `allowances` returned. `refused` holds the findings that stop the publication.
    """

    allowed: Mapping[str, str] = field(default_factory=dict)
    counts: dict[str, CodeCount] = field(default_factory=dict)
    refused: list[Finding] = field(default_factory=list)

    def take(self, findings: Iterable[Finding]) -> None:
        """Count findings; those of a code must come in the order of the rows."""
        for finding in findings:
            if finding.code not in self.counts:
                self.counts[finding.code] = CodeCount(finding.severity, finding.message)
            count = self.counts[finding.code]
            count.add(finding)
            if finding.severity == "error":
                count.severity = "error"
                if self.reason(finding.code) is None and count.rows <= _KEPT:
                    self.refused.append(finding)

    def reason(self, code: str) -> str | None:
        """Return why the findings of a code are allowed, by its own name or a beginning of it; None where they aren't.

        A secret is allowed only by its full code.
        """
        names = [code] if code == _SECRET else [code[:length] for length in range(len(code), 1, -1)]
        return next((self.allowed[name] for name in names if name in self.allowed), None)

    @property
    def refusals(self) -> list[str]:
        """The reasons against the publication, a line for each code, with the first rows."""
        codes = dict.fromkeys(finding.code for finding in self.refused)
        return [f"{code}: {self.counts[code]}" for code in codes]

    def findings_json(self) -> dict[str, Any]:
        """Return what the manifest says of the findings: their severity and number of rows by code."""
        return {code: {"severity": one.severity, "rows": one.rows} for code, one in sorted(self.counts.items())}

    def allowed_json(self) -> dict[str, str]:
        """Return what the manifest says was allowed: of the codes that would have stopped it, with the reasons."""
        errors = [code for code, one in sorted(self.counts.items()) if one.severity == "error"]
        return {code: reason for code in errors if (reason := self.reason(code)) is not None}


def allowances(given: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return the reason by code, or by the beginning of codes, of texts `CODE=REASON`.

    Raises InputError for a code that no check has, and for one that can't be allowed.
    """
    texts = [given] if isinstance(given, str) else given
    parts = given.items() if isinstance(given, Mapping) else (text.partition("=")[::2] for text in texts)
    found: dict[str, str] = {}
    for name, text in parts:
        code = name.strip().upper()
        meant = [one for one in RULES if one.startswith(code)] if re.fullmatch(r"PF\d{1,3}", code) else []
        if not meant:
            near = did_you_mean(code, sorted(RULES)) or "the codes are in docs/checks.md"
            raise InputError(f"--allow: no check is called {name!r:.40}", fix=near)
        if code.startswith("PF0"):
            what = f"--allow {code}: rows of the wrong shape can't be published"
            raise InputError(what, fix="leave them out: pairforge fix PAIRS fixed.jsonl")
        found[code] = one_line(text, _LONGEST) or "no reason given"
    return found
