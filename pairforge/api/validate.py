"""The verb `validate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from .. import checks, formats, report
from ..types import Finding
from .runs import pairs_file

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_ROWS_SHOWN = 5


class Findings(list[Finding]):
    """What is wrong, in the order of the rows; `rows` counts those that were looked at. Empty: nothing is wrong."""

    def __init__(self, found: Iterable[Finding], rows: int, strict: bool = False) -> None:
        super().__init__(found)
        self.rows = rows
        self.strict = strict

    @property
    def ok(self) -> bool:
        """No error; where strict, no warning either."""
        wrong = ("error", "warning") if self.strict else ("error",)
        return not any(finding.severity in wrong for finding in self)

    def as_json(self) -> dict[str, Any]:
        findings = [finding.as_json() for finding in self]
        return {"command": "validate", "ok": self.ok, "rows": self.rows, "findings": findings}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self:
            by_code: dict[str, list[Finding]] = {}
            for finding in self:
                by_code.setdefault(finding.code, []).append(finding)
            yield report.table("", ("code", "severity", "rows", "first", "what"), map(_line, by_code.values()))
        counts = [f"{sum(f.severity == kind for f in self)} {kind}s" for kind in ("error", "warning")]
        yield f"{self.rows} rows: " + (", ".join(counts) if self else "nothing wrong")


def _line(findings: list[Finding]) -> tuple[str, ...]:
    places = list(dict.fromkeys(str(finding.row) for finding in findings if finding.row is not None))
    first = ", ".join(places[:_ROWS_SHOWN]) + (" ..." if len(places) > _ROWS_SHOWN else "")
    return findings[0].code, findings[0].severity, str(len(places) or 1), first or "the set", findings[0].message


def validate(
    data: str | PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
    *,
    strict: bool = False,
    output: str | None = None,
    quiet: bool = False,
) -> Findings:
    """What is wrong with the pairs of a run folder or file (JSON Lines, JSON array, .gz, Parquet), or with rows.

    Rows may be a list, an iterator or a `datasets.Dataset`; None is the latest run. A row that can't be read is a
    finding too; a file that is no file of rows raises InputError. An empty list: nothing is wrong.
    """
    if data is None or isinstance(data, (str, PathLike)):
        data = formats.read(pairs_file(data, output, quiet))
    rows = _Counted(data)
    return Findings(list(checks.check(rows)), rows.count, strict)


class _Counted:
    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        for row in self.rows:
            self.count += 1
            yield row
