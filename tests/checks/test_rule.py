"""Every check has a reason, a bad case that it sees in each row, and a good case in which nothing is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairforge.api.shortcuts import shortcuts
from pairforge.api.validate import validate
from pairforge.checks import RULES, explain
from pairforge.checks.rule import rule
from pairforge.types import Finding

CASES = Path(__file__).parents[1] / "cases"
OF_SETS = {code for code in RULES if code.startswith("PF2")} - {"PF209", "PF211"}
CODES = sorted(code for code in RULES if not code.startswith("PF4"))


def found(code: str, kind: str) -> list[Finding]:
    path = CASES / code / f"{kind}.jsonl"
    if not code.startswith("PF3"):
        other = CASES / code / "against.jsonl"
        return validate(path, against=other if other.exists() else None)
    expect = ["Deep Qwen"] if code == "PF307" else []
    return [finding for finding in shortcuts(path, expect=expect).findings if finding.severity != "info"]


def test_cases_and_rules_are_the_same_codes() -> None:
    assert {folder.name for folder in CASES.iterdir()} == set(RULES)


@pytest.mark.parametrize("code", CODES)
def test_bad_case_is_seen(code: str) -> None:
    findings = [finding for finding in found(code, "bad") if finding.code == code]
    assert findings
    assert {finding.message for finding in findings} != {""}
    if not code.startswith("PF3") and code not in OF_SETS:
        rows = [line for line in (CASES / code / "bad.jsonl").read_bytes().split(b"\n") if line.strip()]
        assert {finding.row for finding in findings} == set(range(len(rows)))


@pytest.mark.parametrize("code", CODES)
def test_good_case_is_clean(code: str) -> None:
    others = not code.startswith("PF3")
    wrong = [one for one in found(code, "good") if one.code == code or (others and one.severity != "info")]
    assert wrong == []


@pytest.mark.parametrize("code", RULES)
def test_reasons_are_told(code: str) -> None:
    assert code in explain(code)
    assert len(RULES[code].why) > 60


def test_a_code_is_taken_once_and_says_why() -> None:
    with pytest.raises(ValueError, match="PF101 is taken"):
        rule("PF101")(lambda sides: [])
    with pytest.raises(ValueError, match="no docstring"):
        rule("PF999")(lambda sides: [])
    assert "PF999" not in RULES
