"""The diagnostics count what is there, and their forecast holds for answers drawn at random."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import Scripted, asks_nobody, prompt

from pairforge.diagnostics import diagnose, lines, measure, tied_at_twice
from pairforge.judges.language_model import LanguageModelJudge
from pairforge.judges.reference import LengthJudge, PatternJudge
from pairforge.judges.rubric import Rubric
from pairforge.stages import sample, score
from pairforge.store import Store
from pairforge.types import Answer, Pair, Sampler, Skip


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


PROMPTS = [prompt("P?"), prompt("Q?")]
GIVEN: dict[str, list[Answer] | Skip] = {
    PROMPTS[0].id: whole("a", "bb", "ccc", "a"),
    PROMPTS[1].id: [*whole("dd", "ee"), Answer("cut", "length")],
}


def test_a_judge_is_measured_by_two_answers_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    judges = [(one, score(PROMPTS, GIVEN, one, store, asks_nobody)) for one in (LengthJudge(), PatternJudge("b|e"))]
    authors = {(PROMPTS[0].id, text): author for text, author in (("a", "b|e"), ("bb", "other"), ("ccc", "b|e"))}
    found = measure(judges, PROMPTS, GIVEN, store, authors)
    length, pattern = found["judges"].values()
    assert length == {"answers": 5, "unjudged": 0, "compared": 4, "ties": 1, "longer": 3, "lengths_differ": 3}
    assert pattern.items() >= {"ties": 1, "longer": 1, "lengths_differ": 2, "own": 0, "own_or_other": 2}.items()
    assert found["agree"] == {"length and regex:b|e": {"alike": 1, "of": 2}}
    said = "\n".join(lines(diagnose(GIVEN, {}, []) | found, 4))
    assert "judge length: 25% of two answers tie, the longer one scores higher in 100.0%" in said
    assert "its own answer beats another's in 0.0%" in said and "length and regex:b|e agree in 50.0%" in said


def test_the_flips_of_a_language_model_are_read_from_the_store(tmp_path: Path) -> None:
    """It finds longer answers better on one scale, and all alike on the other; one reply is no rating."""

    def rate(question: object, *_: object) -> str:
        text = str(question)
        length = next(
            len(one) for one in ("ccc", "bb", "a", "dd", "ee") if f'"answer": \\"{one}' in text or f'"{one}"' in text
        )
        return "no" if '"ee"' in text else "5" if "1 means: exactly" in text else str(4 + length)

    store = Store(tmp_path)
    judge = LanguageModelJudge("llm:m", Scripted(rate), Rubric.named("helpfulness"))

    def ask(prompts, sampler: Sampler):  # type: ignore[no-untyped-def]
        return sample(prompts, sampler, 1, store)

    results = score(PROMPTS, GIVEN, judge, store, ask)
    before = len(judge.sampler.asked)  # type: ignore[attr-defined]
    found = measure([(judge, results)], PROMPTS, GIVEN, store, {})["judges"]["llm:m"]
    assert len(judge.sampler.asked) == before  # type: ignore[attr-defined]
    assert (found["answers"], found["unjudged"], found["compared"]) == (5, 2, 3)
    assert found["flips"] == {"1": {"flipped": 0, "of": 2}, "2": {"flipped": 0, "of": 1}}
    assert "0% of 2 below 1, 0% of 1 below 2" in "\n".join(lines({"judges": {"llm:m": found}, "answers": 0}, 4))
