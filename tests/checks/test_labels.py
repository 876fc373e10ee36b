"""Answers with labels are looked at as what they are."""

from __future__ import annotations

from typing import Any

import pairforge


def row(label: Any, completion: str = "Pear.", prompt: str = "Name a fruit.") -> dict[str, Any]:
    return {"prompt": prompt, "completion": completion, "label": label}


def found(*rows: Any) -> list[tuple[int | None, str]]:
    findings = pairforge.validate(list(rows), quiet=True)
    assert (findings.shape, findings.rows) == ("kto", len(rows))
    return [(one.row, one.code) for one in findings]


def test_clean_ones_are_clean() -> None:
    assert found(row(True), row(False, "Chair.")) == []


def test_one_label_only() -> None:
    assert found(row(True), row(True, "Apple.")) == [(None, "PF603")]


def test_words_as_labels() -> None:
    assert found(row("good"), row("bad", "Chair.")) == [(0, "PF602"), (1, "PF602")]
    (one,) = pairforge.validate([row(True), row(False, "Chair."), row("maybe", "x")], quiet=True)
    assert (one.row, one.code, "not known" in one.message) == (2, "PF602", True)


def test_empty_answers_and_error_messages() -> None:
    assert found(row(True), row(False, "  "), row(False, 'Traceback (most recent call last):\n  File "x.py"')) == [
        (1, "PF106"),
        (2, "PF107"),
    ]


def test_both_labels_and_no_label() -> None:
    assert found(row(True), row(False), row(None, "x"), row(True, "y"), 7) == [(1, "PF604"), (2, "PF601"), (4, "PF601")]
