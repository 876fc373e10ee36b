"""The comparison of a report with an earlier one, for continuous integration: which of its rates got worse."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text import visible

EXIT_CODE = 3
_NOISE = 1e-9
"""Of floating point numbers."""


def worse_than(path: str | PathLike[str], report: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """Return a line for each rate of a report that is higher than in an earlier one.

    Args:
        path: The file that the same command wrote with `--json`; of several sources, the report on `source` is taken.
        report: What the command says now, as JSON.
        source: The name of what it looked at.

    Raises InputError where the file is no such report.
    """
    old, new = _rates(_read(Path(path), report["command"], source), path), _rates(report, path)
    return tuple(
        f"worse than in {path}: {name}: {_shown(old.get(name, 0.0))} -> {_shown(rate)}"
        for name, rate in new.items()
        if rate > old.get(name, 0.0) + _NOISE
    )


def _read(path: Path, command: str, source: str) -> Mapping[str, Any]:
    again = f"pairforge {command} PAIRS --json > {path}"
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"--baseline {path} can't be read: {error.strerror}", fix=again) from None
    except (ValueError, RecursionError):
        raise InputError(f"--baseline {path} is not JSON", fix=again) from None
    if not isinstance(value, dict) or value.get("command") != command:
        raise InputError(f"--baseline {path} is not a report of pairforge {command} --json", fix=again)
    if not isinstance(sources := value.get("sources"), list):
        return value
    for one in sources:
        if isinstance(one, dict) and one.get("source") == source and "rows" in one:
            return one
    raise InputError(f"--baseline {path} has no report on {visible(source)}", fix=again)


def _rates(report: Mapping[str, Any], path: str | PathLike[str]) -> dict[str, float]:
    """Return the rates of a report by name: the lower, the better."""
    try:
        found = dict(_shares(report) if report["command"] == "validate" else _strengths(report))
        if not all(math.isfinite(rate) for rate in found.values()):
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        raise InputError(f"--baseline {path} is not a whole report", fix="write it again, with --json") from None
    return found


def _shares(report: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Yield the share of rows in which each check finds something; what is wrong with the set is wrong with all."""
    rows: dict[str, set[int | None]] = {code: set() for code in report["counts"]}
    listed = dict.fromkeys(rows, 0)
    for finding in report["findings"]:
        rows[finding["code"]].add(finding["row"])
        listed[finding["code"]] += 1
    for code, found in rows.items():
        # Of very many findings of a code not all are listed: they are taken as one a row.
        count = len(found) + report["counts"][code] - listed[code]
        yield f"{code}, share of rows", 1.0 if None in found else count / report["rows"]


def _strengths(report: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Yield how often a classifier picks the chosen answer, and what a rule by each feature gains over chance."""
    rest = report["predictability"]["unintended"]
    yield "the classifier picks the chosen answer", rest["value"] if rest else report["separability"]
    for finding in report["findings"]:
        if not finding["intended"] and "lift" in finding:
            yield f"{finding['code']}, gain over chance by {finding['feature']!r} ({finding['kind']})", finding["lift"]


def _shown(rate: float) -> str:
    return f"{100 * rate:.3g} %"
