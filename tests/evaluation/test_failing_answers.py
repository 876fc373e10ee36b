"""Which answers count against a metric, and what of them is written."""

from __future__ import annotations

from support import prompt

from pairforge.evaluation.failing_answers import BY_JUDGE, FailingAnswer, counting_against, failing_answers
from pairforge.evaluation.metrics import Measured
from pairforge.evaluation.questions import Question
from pairforge.types import Answer, Skip

BEFORE = {"a": True, "b": True, "c": False, "d": Skip("failed"), "gone": True}
AFTER = {"a": True, "b": False, "c": True, "d": False, "e": False, "f": Skip("failed")}
MEASURED = Measured({"general": AFTER}, {"general": BEFORE})


def test_a_rule_that_compares_with_the_base_counts_the_questions_that_changed() -> None:
    assert [*counting_against("general", "loses at most", MEASURED)] == ["b"]
    assert [*counting_against("general", "keeps at least", MEASURED)] == ["b"]
    assert [*counting_against("general", "rises at most", MEASURED)] == ["c"]


def test_any_other_rule_counts_every_answer_on_the_wrong_side() -> None:
    assert [*counting_against("general", "at least", MEASURED)] == ["b", "d", "e"]
    assert [*counting_against("general", "surely above", MEASURED)] == ["b", "d", "e"]
    assert [*counting_against("general", "at most", MEASURED)] == ["a", "c"]
    assert [*counting_against("nothing", "at least", MEASURED)] == []


def test_each_comes_with_its_question_both_answers_and_what_was_expected() -> None:
    asked = Question(prompt("What is 1 + 1?").in_context("Be brief."), {}, {"general": "2"})
    measured = Measured({"general@t1": {"id": False}}, {"general@t1": {"id": True}})
    answers = [Answer("3", "stop")], [Answer("2", "stop")]
    [found] = failing_answers({"general@t1": "loses at most"}, measured, {"id": (asked, *answers)})
    assert found == FailingAnswer("general@t1", asked, "3", "2")
    assert found.as_json() == {
        "metric": "general@t1",
        "question": "What is 1 + 1?",
        "system": "Be brief.",
        "answer": "3",
        "expected": "2",
        "before": "2",
        "prompt_id": asked.prompt.id,
    }


def test_a_question_without_an_answer_or_a_score_says_why() -> None:
    asked = Question(prompt("?"), {}, {})
    measured = Measured({"unanswered": {"id": True, "id" + BY_JUDGE: True}})
    skip = Skip("not_replayed", "no stored answer")
    found = failing_answers({"unanswered": "at most"}, measured, {"id": (asked, skip, None)})
    assert [answer.answer for answer in found] == ["(not replayed: no stored answer)"] * 2
    assert found[0].before is None
