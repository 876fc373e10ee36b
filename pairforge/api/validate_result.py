"""The result of `validate`: findings with their counts, for a reader, a program, or the checks of a pull request."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checks
from ..checks.rule import FIX, OF_ROWS
from ..console import table
from ..errors import InputError
from ..notebook import HtmlRepr, data_frame
from ..text import and_others, did_you_mean, first_few, plural, visible
from ..types import Finding
from .baseline import EXIT_CODE

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


KEPT = 10_000
"""How many findings of each code are kept; all are counted."""
_ROWS_SHOWN = 5
_COLUMNS = ("code", "severity", "rows", "which", "what")
_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}


class Findings(HtmlRepr, list[Finding]):
    """Findings, in the order of the rows. Empty: nothing is wrong.

    `rows` counts those that were looked at, `counts` the findings by code: of one code at most `KEPT` are in the list.
    `source` names what was looked at, `shape` is its shape (docs/formats.md), `format` is "table" or "github", `fixed`
    is the `FixedPairs` of `--fix`. `ties` counts the rows in which no answer is better than another: they are no pairs.
    `fixable` is False where the rows are not pairs, and `prompts` is true where they are prompts. `worse` has a line
    for each rate that is worse than in the report of `baseline`.
    """

    fixable, prompts = True, False
    worse: tuple[str, ...] = ()

    def __init__(
        self,
        found: Iterable[Finding] = (),
        rows: int = 0,
        strict: bool = False,
        *,
        source: str = "",
        format: str = "table",
    ) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.rows, self.strict, self.source, self.format = rows, strict, source, format
        self.fixed: Any = None
        self.shape, self.ties = "", 0
        self.take(found)
        self.sort_by_row()

    def take(self, found: Iterable[Finding]) -> None:
        """Count the findings, and keep the first ones of each code."""
        for finding in found:
            self.counts[finding.code] += 1
            if self.counts[finding.code] <= KEPT:
                self.append(finding)

    def sort_by_row(self) -> None:
        """Sort by row, and in a row by family; what is said of the dataset as a whole comes last."""
        self.sort(key=lambda one: (True, 0, "") if one.row is None else (False, one.row, one.code[:3]))

    @property
    def ok(self) -> bool:
        """Return whether there is no error; where strict, no warning either; and nothing worse than it was."""
        return not self.worse and not any(
            one.severity == "error" or (self.strict and one.severity == "warning") for one in self
        )

    @property
    def exit_code(self) -> int:
        """The exit code of the command where the findings are not ok."""
        return EXIT_CODE if self.worse else 1

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge validate --json` prints: schemas/findings.schema.json."""
        said = {
            "command": "validate",
            "ok": self.ok,
            "shape": self.shape,
            "rows": self.rows,
            "counts": dict(sorted(self.counts.items())),
            "findings": [finding.as_json() for finding in self],
        }
        said |= {"ties": self.ties} if self.ties else {}
        said |= {"worse": [*self.worse]} if self.worse else {}
        return said | ({"fixed": self.fixed.as_json()} if self.fixed else {})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.format == "github":  # workflow commands: GitHub shows them beside the lines of the file
            numbers = _line_numbers(self.source)
            for finding in self:
                place = [f"file={_property(self.source)}"] if self.source else []
                if finding.row is not None and finding.row < len(numbers):
                    place.append(f"line={numbers[finding.row]}")
                kind, title = _GITHUB[finding.severity], _property(finding.code)
                row = f"row {finding.row}: " if finding.row is not None else ""
                yield f"::{kind} {','.join([*place, f'title={title}'])}::{_escaped(visible(row + finding.message))}"
            yield from (f"::error title=baseline::{_escaped(visible(line))}" for line in self.worse)
            return
        by_code = self._by_code()
        if by_code:
            yield table("", _COLUMNS, map(self._line, by_code.values()))
            fixes: dict[str, list[str]] = {}
            for code in by_code:
                if (fix := checks.RULES[code].fix if code in checks.RULES else "") and fix != FIX:
                    fixes.setdefault(fix.format(data=shlex.quote(self.source or "PAIRS")), []).append(code)
            yield from (f"{', '.join(codes)}: {visible(command)}" for command, codes in fixes.items())
            yield "why each matters: pairforge validate --explain CODE"
        yield from map(visible, self.worse)
        yield self.summary
        if self.fixed:
            yield self.fixed
        elif remedy := self._remedy(by_code):
            yield visible(remedy)

    def as_html(self) -> str:
        """Return a table with a line for each code, and the counts, for a notebook and a report."""
        from ..html import element, joined, paragraphs
        from ..html import table as html_table

        rows = [
            (element("span", code, title=checks.RULES[code].why) if code in checks.RULES else code, *cells)
            for code, *cells in map(self._line, self._by_code().values())
        ]
        shown = [html_table(_COLUMNS, rows, "Findings of the checks")] if rows else []
        return joined([paragraphs([self.summary, *self.worse]), *shown])

    def to_pandas(self) -> Any:
        """Return the findings as a `pandas.DataFrame`, a row for each."""
        return data_frame(finding.as_json() for finding in self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"

    def _by_code(self) -> dict[str, list[Finding]]:
        found: dict[str, list[Finding]] = {}
        for finding in self:
            found.setdefault(finding.code, []).append(finding)
        return dict(sorted(found.items()))

    @property
    def summary(self) -> str:
        """The counts: `13 rows: 8 errors, 2 warnings`."""
        kinds = Counter(dict.fromkeys(_GITHUB, 0))
        for code, severity in {one.code: one.severity for one in self}.items():
            kinds[severity] += self.counts[code]
        counts = [plural(kinds[kind], kind) for kind in ("error", "warning")]
        counts += [f"{kinds['info']} info"] if kinds["info"] else []
        counts += [f"{plural(self.ties, 'tie')}: no answer is better"] if self.ties else []
        counts += [f"{len(self.worse)} worse than before"] if self.worse else []
        return f"{plural(self.rows, 'row')}: {', '.join(counts) if self or self.ties else 'nothing wrong'}"

    def _remedy(self, codes: Iterable[str]) -> str:
        """Return the command that helps, if there is one."""
        source = shlex.quote(self.source or "PAIRS")
        if self.prompts:
            ways = f"pairforge correct --from NAME --to NAME -p {source}, or pairforge onpolicy -p {source}"
            return f"these are prompts, not pairs; commands that make pairs of them: {ways}"
        known = (checks.RULES[code] for code in codes if code in checks.RULES)
        fixable = any(one.fix == FIX or (one.severity == "error" and one.over in OF_ROWS) for one in known)
        return f"next: {FIX.format(data=source)}" if fixable and self.fixable else ""

    def _line(self, findings: list[Finding]) -> tuple[str, ...]:
        places = list(dict.fromkeys(str(finding.row) for finding in findings if finding.row is not None))
        first = first_few(places, _ROWS_SHOWN)
        count = self.counts[findings[0].code]
        rows = len(places) if count == len(findings) else count  # of very many not all are kept
        what = and_others([finding.message for finding in findings])
        if what != findings[0].message and len(places) > 1:
            what = f"row {places[0]}: {what}"
        return findings[0].code, findings[0].severity, str(rows or count), first or "the set", what


class Explanation(Findings):
    """The result of `validate --explain`: why a check matters."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code.strip().upper()
        if self.code not in checks.RULES:
            raise InputError(f"no check is called {code!r:.40}", fix=near_codes(code))

    def __repr__(self) -> str:
        return f"<Explanation: {self.code}>"

    def as_json(self) -> dict[str, Any]:
        one = checks.RULES[self.code]
        about = {"code": one.code, "severity": one.severity, "why": one.why, "mend": one.fix}
        return {"command": "validate", "ok": True, **about}

    def as_html(self) -> str:
        from ..html import paragraphs

        return paragraphs(checks.explain(self.code).split("\n\n"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield checks.explain(self.code)


def near_codes(name: str) -> str:
    """Return which check was probably meant, else which codes there are."""
    codes = sorted(checks.RULES)
    return did_you_mean(name, codes) or f"codes are from {codes[0]} to {codes[-1]}"


def _line_numbers(source: str) -> list[int]:
    """Return the line of each row of a file of JSON Lines: a blank line is not a row."""
    path = Path(source)
    if path.suffix not in (".jsonl", ".ndjson") or not path.is_file():
        return []
    with path.open("rb") as file:
        return [number for number, line in enumerate(file, 1) if not line.isspace()]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
