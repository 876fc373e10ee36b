"""The gate of push: errors stop it, named by row; what is allowed passes with its reason; a secret only by its code."""

from __future__ import annotations

import pytest

from pairforge.checks.gate import Gate, allowances
from pairforge.errors import InputError
from pairforge.types import Finding


def finding(code: str, row: int | None = 0, severity: str = "error") -> Finding:
    return Finding(code, severity, f"what {code} says", row)  # type: ignore[arg-type]


def gate(*findings: Finding, allow: list[str] | dict[str, str] | str = ()) -> Gate:  # type: ignore[assignment]
    made = Gate(allowances(allow))
    made.take(findings)
    return made


def test_errors_stop_it_and_name_the_rows_and_warnings_are_counted() -> None:
    rows = [finding("PF104", row) for row in (1, 1, 3, 5, 7, 9, 11)]
    made = gate(finding("PF502", 2, "warning"), *rows, finding("PF306", None), finding("PF204", 4, "info"))
    assert made.refusals == ["PF104: what PF104 says (in 6 rows: 1, 3, 5, 7 ...)", "PF306: what PF306 says"]
    assert made.refused == [*rows, finding("PF306", None)]
    assert made.findings_json() == {
        "PF104": {"severity": "error", "rows": 6},
        "PF204": {"severity": "info", "rows": 1},
        "PF306": {"severity": "error", "rows": 0},
        "PF502": {"severity": "warning", "rows": 1},
    }
    assert gate(finding("PF103", 8)).refusals == ["PF103: what PF103 says (in 1 row: 8)"]


def test_what_is_allowed_passes_with_its_reason() -> None:
    found = [finding("PF104", 1), finding("PF302", None), finding("PF303", None)]
    made = gate(*found, allow=["pf104=ties are\n meant", "PF3=short = good", "PF111=never found"])
    assert (made.refusals, made.refused) == ([], [])
    assert made.allowed_json() == {"PF104": "ties are meant", "PF302": "short = good", "PF303": "short = good"}
    assert gate(*found, allow={"PF3": "x"}).refusals == ["PF104: what PF104 says (in 1 row: 1)"]
    assert gate(finding("PF502", 1, "warning"), allow="PF502").allowed_json() == {}


def test_a_secret_is_allowed_by_its_full_code_alone() -> None:
    assert gate(finding("PF501", 4), allow="PF5=all of them").refusals
    assert gate(finding("PF501", 4), allow="PF501").allowed_json() == {"PF501": "no reason given"}


@pytest.mark.parametrize(
    ("given", "said"),
    [("PF999=x", "no check"), ("x", "no check"), ("PF", "no check"), ("=x", "no check"), ("PF001=x", "wrong shape")],
)
def test_what_can_not_be_allowed_is_one_line(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        allowances([given])
