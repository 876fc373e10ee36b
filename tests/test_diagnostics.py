"""The diagnostics count what is there, and their forecast holds for answers drawn at random."""

from __future__ import annotations

import random

import pytest
from support import prompt

from pairforge.diagnostics import diagnose, lines, tied_at_twice
from pairforge.types import Answer, Pair, Skip


def whole(*texts: str) -> list[Answer]:
    return [Answer(text, "stop") for text in texts]


SAMPLED = {
    "a": [*whole("yes", "yes", "no"), Answer("yes and", "length")],
    "b": whole("no", "nope", "no", "never"),
    "c": Skip("failed", "503"),
}
RESULTS = {"a": (whole("yes", "no"), [1.0, 0.0]), "b": (whole("no", "nope", "never"), [0.0] * 3), "c": Skip("failed")}
PAIR = Pair.of(
    prompt("Q?"), "yes", "no", method="best_worst", model="m", judge="j", chosen_score=1.0, rejected_score=0.0
)


def test_it_counts_answers_prompts_and_pairs() -> None:
    found = diagnose(SAMPLED, RESULTS, [PAIR])  # type: ignore[arg-type]
    assert (found["prompts"], found["answers"], found["distinct"], found["cut"]) == (2, 8, 6, 1)
    assert (found["longer_chosen"], found["lengths_differ"]) == (1, 1)
    right = {"answers": 2, "of_answers": 7, "of_prompts": 2, "at_least_once": 1, "always": 0, "never": 1}
    assert found["right"].items() >= right.items()
    said = "\n".join(lines(found, 4))
    assert "answers: 3.0 of 4 are different, 12% are cut off, 28.6%" in said
    assert "50% have a right answer, 0% only right ones, 50% none" in said
    assert "scored alike in 50% of them: with --n 8 in about 36%" in said


def test_scores_that_are_no_verdict_say_nothing_of_right_answers() -> None:
    found = diagnose({"a": whole("x", "yy")}, {"a": (whole("x", "yy"), [0.2, 0.9])}, [])
    assert "right" not in found and not [line for line in lines(found, 2) if "right" in line]


def test_nothing_was_answered() -> None:
    assert [*lines(diagnose({"a": Skip("failed")}, {"a": Skip("failed")}, []), 4)] == []


@pytest.mark.parametrize("n", [2, 4, 8])
def test_the_forecast_holds_for_answers_drawn_at_random(n: int) -> None:
    draw = random.Random(n)
    said = seen = 0.0
    for _ in range(20_000):
        p = draw.betavariate(0.5, 0.5)
        hits = [draw.random() < p for _ in range(2 * n)]
        said += tied_at_twice(sum(hits[:n]), n)
        seen += len(set(hits)) == 1
    assert said == pytest.approx(seen, rel=0.03)
