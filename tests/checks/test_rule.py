"""Every check has a reason, a bad case that it sees in each row, and a good case in which nothing is seen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairforge.api.shortcuts import shortcuts
from pairforge.api.validate import validate
from pairforge.checks import RULES, explain
from pairforge.checks.dataset import DatasetState
from pairforge.checks.duplicates import Digests
from pairforge.checks.row import Sides
from pairforge.checks.rule import WITH_MODEL, Seen, SeenAt, rule, rules_over
from pairforge.checks.secrets import Texts
from pairforge.checks.tokenized_pair import TokenizedPair
from pairforge.types import Finding

CASES = Path(__file__).parents[1] / "cases"
OF_SETS = {one.code for one in RULES.values() if one.over in ("dataset", "lines", "labels", "label_twice", "shape")}
OF_SETS = OF_SETS - {"PF211"} | {"PF601"}
"""What is found in some rows of a set, or in it as a whole; a set whose rows all lack a label is none of labels."""
CODES = sorted(one.code for one in RULES.values() if one.over not in WITH_MODEL)


def found(code: str, kind: str) -> list[Finding]:
    path = CASES / code / f"{kind}.jsonl"
    if not code.startswith("PF3"):
        other = CASES / code / "against.jsonl"
        return validate(path, against=other if other.exists() else None)
    expect = ["Deep Qwen"] if code == "PF307" else []
    findings = shortcuts(path, expect=expect).findings
    if code == "PF307":  # what is intended is only information: it says whether it is balanced
        return [one for one in findings if not one.more.get("balanced") and one.more["grade"] != "low"]
    return [finding for finding in findings if finding.severity != "info"]


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


def test_without_docstrings_there_are_the_same_rules() -> None:
    code = "from pairforge.checks import RULES; print(*RULES)"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == {*RULES}


def test_a_code_is_taken_once_and_says_why() -> None:
    with pytest.raises(ValueError, match="PF101 is taken"):
        rule("PF101")(lambda sides: [])
    with pytest.raises(ValueError, match="no docstring"):
        rule("PF999")(lambda sides: [])
    assert "PF999" not in RULES


def test_the_families_are_imported_only_where_rows_are_checked() -> None:
    code = "import sys, pairforge.api.correct; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pairforge.checks.runner", "pairforge.checks.minhash", "pairforge.checks.shortcuts"} & {
        *loaded
    }


@pytest.fixture
def new_rules() -> Iterator[None]:
    """Rules that are defined here alone."""
    known = set(RULES)

    @rule("PF199", "warning")
    def no_seven(sides: Sides) -> Iterator[Seen]:
        """A text speaks of seven, which is no reason to fail, but reason enough for a rule in a test."""
        if "seven" in sides.text:
            yield "seven", ""

    @rule("PF198", prefilter=lambda sides: "eight" in sides.text)
    def no_eight(sides: Sides) -> Iterator[Seen]:
        """A text speaks of eight: the prefilter of this rule lets just these rows through, and others it never sees."""
        assert "eight" in sides.text
        yield "eight", ""

    @rule("PF299", "info", over="dataset", collect=[Digests])
    def odd_number(dataset: DatasetState) -> Iterator[SeenAt]:
        """The dataset has an odd number of pairs, and somebody may want to know the row that makes it odd."""
        if dataset.count % 2:
            yield int(dataset[Digests].rows[-1]), f"{len(dataset[Digests])} pairs"

    @rule("PF499", over="tokenized")
    def long_prompt(pair: TokenizedPair) -> Iterator[Seen]:
        """A prompt has tokens, which every prompt has: so this rule finds something in every row it is called with."""
        yield f"{pair.rendered.shared} tokens", ""

    @rule("PF599", over="secrets")
    def password(texts: Texts) -> Iterator[Seen]:
        """A row speaks of a password, which would be a poor rule elsewhere, and is a good one for a test like this."""
        if "password" in str(texts):
            yield "a password", ""

    yield
    for code in RULES.keys() - known:
        del RULES[code]
    rules_over.cache_clear()


@pytest.mark.usefixtures("new_rules")
def test_a_rule_needs_nothing_but_its_definition() -> None:
    def row(text: str) -> dict[str, Any]:
        user = {"role": "user", "content": "How many are they?"}
        texts = {"chosen": f"There are {text} of them.", "rejected": "I have not counted."}
        return {side: [user, {"role": "assistant", "content": said}] for side, said in texts.items()}

    rows = [row("three"), row("seven"), row("eight")]
    assert [(one.code, one.row) for one in validate(rows)] == [
        ("PF199", 1), ("PF204", 1), ("PF198", 2), ("PF299", 2)
    ]  # fmt: skip
    assert [(one.code, one.row) for one in validate(rows, select=["PF499"], model="pocket", quiet=True)] == [
        ("PF499", 0), ("PF499", 1), ("PF499", 2)
    ]  # fmt: skip
    assert [(one.code, one.row) for one in validate([row("password")], select=["PF5"])] == [("PF599", 0)]
    assert "seven" in explain("PF199")
