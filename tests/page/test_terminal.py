"""The terminal asks what the page asks, one key each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from support import prompt

from pairforge.page.annotation import Annotation, AnnotationPlan
from pairforge.page.terminal import judge_in_terminal
from pairforge.store import Store
from pairforge.types import AnswerGroup, digest


def asked(folder: Path, answers: int, keys: str, guidelines: str = "") -> list[dict[str, Any]]:
    """Press the keys; a letter A, B ... is the key of that answer, wherever it is shown. Returns the events."""
    texts = [f"answer {letter}" for letter in "ABC"[:answers]]
    groups = [AnswerGroup(prompt(f"Question {number}?\x1b[31m"), texts) for number in range(4)]
    store = Store(folder)
    annotation = Annotation(lambda: groups, store, AnnotationPlan(0, 0, 0), guidelines=guidelines)
    annotation.fill()
    pressed = iter(keys)

    def key() -> str:
        wanted = next(pressed, "")
        [item] = annotation.queue("ann", 1)["items"]
        return next((str(one["key"]) for one in item["answers"] if one["text"][-1] == wanted), wanted)

    judge_in_terminal(annotation, "ann", key)
    events = store.events()
    store.close()
    return events


def test_best_then_worst(tmp_path: Path) -> None:
    [event, other] = asked(tmp_path, 3, "ACBA")
    assert (event["best"], event["worst"]) == (digest("answer A"), digest("answer C"))
    assert (other["best"], other["worst"]) == (digest("answer B"), digest("answer A"))


def test_of_two_answers_one_key_is_enough(tmp_path: Path) -> None:
    events = asked(tmp_path, 2, "ABAB")
    assert [event["best"] for event in events] == [*map(digest, ("answer A", "answer B") * 2)]


def test_ties_all_bad_skips_and_undo(tmp_path: Path) -> None:
    events = asked(tmp_path, 3, "txsuuAC")
    said = [event.get("choice") or event["kind"] for event in events]
    assert said == ["tie", "all_bad", "skip", "undo", "undo", "picked"]
    assert [event["undoes"] for event in events[3:5]] == [events[2]["uuid"], events[1]["uuid"]]
    assert events[5]["item"] == events[1]["item"]


def test_an_undo_before_the_second_key_takes_the_first_back(tmp_path: Path) -> None:
    [event] = asked(tmp_path, 3, "AuBC")
    assert event["best"] == digest("answer B")


def test_the_best_answer_is_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit: Callable[[str], str] = lambda text: text + ", better"  # noqa: E731
    monkeypatch.setattr(click, "edit", edit)
    [event] = asked(tmp_path, 3, "AeC")
    assert event["edit"] == "answer A, better"


def test_help_guidelines_and_differences_are_shown_and_outside_texts_are_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(tmp_path, 3, "?gdq", guidelines="Prefer the shorter one.") == []
    said = capsys.readouterr().err
    assert "1-9 the best answer" in said and "Prefer the shorter one." in said and "{+" in said
    assert "Question 0?\\x1b[31m" in said and "\x1b[31m" not in said and "0 of 4 judged" in said
