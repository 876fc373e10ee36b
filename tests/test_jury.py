"""A jury's scores are comparable, and a pair says how far its judges agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support import asks_nobody, prompt

import pairforge
from pairforge.judges.function import FunctionJudge
from pairforge.jury import Jury
from pairforge.pairers import BestWorstPairer
from pairforge.stages import pair
from pairforge.store import Store
from pairforge.types import Answer, Judge, Pair, Skip

PROMPTS = [prompt("x"), prompt("y")]
ANSWERS = {one.id: [Answer(text, "stop") for text in ("a", "bb", "ccc")] for one in PROMPTS}


def by(scores: dict[str, float | None], name: str) -> Judge:
    return FunctionJudge(lambda completions, **_: [scores[turns[0]["content"]] for turns in completions], name)


LONG = by({"a": 0, "bb": 1, "ccc": 2}, "long")
HUGE = by({"a": 3000, "bb": 2000, "ccc": 1000}, "huge")


def combined(folder: Path, jury: Jury) -> dict[str, float] | Skip:
    found = jury.score(PROMPTS, ANSWERS, Store(folder), asks_nobody).combined()[PROMPTS[0].id]
    return found if isinstance(found, Skip) else {one.text: score for one, score in zip(*found, strict=True)}


def test_a_judge_with_large_numbers_does_not_decide_alone(tmp_path: Path) -> None:
    assert combined(tmp_path, Jury((LONG, HUGE), (1, 1))) == pytest.approx({"a": 0, "bb": 0, "ccc": 0})
    weighted = combined(tmp_path, Jury((LONG, HUGE), (2, 1)))
    assert not isinstance(weighted, Skip) and weighted["ccc"] > weighted["bb"] > weighted["a"]
    voted = combined(tmp_path, Jury((LONG, HUGE), (3, 1), vote=True))
    assert voted == pytest.approx({"a": 0.25, "bb": 0.5, "ccc": 0.75})


def test_an_answer_that_one_judge_does_not_score_has_no_score(tmp_path: Path) -> None:
    partly = by({"a": 1, "bb": None, "ccc": 0}, "partly")
    found = combined(tmp_path, Jury((LONG, partly), (1, 2)))
    assert not isinstance(found, Skip) and found.keys() == {"a", "ccc"}
    never = by({"a": None, "bb": None, "ccc": 0}, "never")
    assert isinstance(combined(tmp_path, Jury((LONG, never), (1, 1))), Skip)


@pytest.mark.parametrize(("weights", "confidence"), [((2.0, 1.0), 2 / 3), ((1.0, 3.0), 0.75)])
def test_a_pair_says_how_far_the_judges_agree(tmp_path: Path, weights: Sequence[float], confidence: float) -> None:
    ballots = Jury((LONG, HUGE), tuple(weights)).score(PROMPTS, ANSWERS, Store(tmp_path), asks_nobody)
    [(_, made), _] = pair(PROMPTS, ballots.combined(), BestWorstPairer("jury"), "m")
    assert isinstance(made, Pair) and ballots.confidence(made) == pytest.approx(confidence)


def test_its_name_has_the_weights() -> None:
    assert Jury((LONG, HUGE), (1, 2.5)).name == "long + 2.5 x huge"


def test_several_judges_make_a_jury_and_its_pairs_have_a_confidence(tmp_path: Path) -> None:
    made = pairforge.onpolicy(
        prompts=["What is 2 + 3?", "What is 12 - 7?"],
        judge=["length", "regex:[0-9]=2"],
        output=str(tmp_path),
        quiet=True,
    )
    assert made.run.settings["judge"]["weights"] == [1.0, 2.0]
    for row in made.rows():
        assert row["judge"] == "length + 2 x regex:[0-9]" and 0 <= row["confidence"] <= 1
    one = pairforge.onpolicy(prompts=["What is 2 + 3?"], judge="length", output=str(tmp_path), quiet=True)
    assert all("confidence" not in row for row in one.rows())
