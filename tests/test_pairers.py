"""Answers become a pair, or a Skip that says why not."""

from typing import Any

from pairforge.pairers import BestWorstPairer, CorrectionPairer, Edited, usable
from pairforge.types import Answer, Message, Pair, Prompt, Skip

PROMPT = Prompt((Message(role="system", content="Be kind."), Message(role="user", content="Who are you?")))


class Upper:
    """An edit that knows no name: capitals, unless the answer is cut."""

    method = "upper"
    name = "case"

    def settings(self) -> dict[str, Any]:
        return {"edit": "upper"}

    def __call__(self, prompt: Prompt, answer: Answer) -> Edited | Skip:
        return Edited(answer.text, answer.text.upper()) if answer.finish == "stop" else Skip("cut_off", answer.text)


def whole(*texts: str) -> list[Answer]:
    return [Answer(text, "stop") for text in texts]


def test_correct_edits_the_answer_in_the_same_context() -> None:
    pair = CorrectionPairer(Upper()).pair(PROMPT, whole("I am Qwen."), [], "m")
    assert isinstance(pair, Pair)
    assert pair.rejected == (*PROMPT.messages, {"role": "assistant", "content": "I am Qwen."})
    assert pair.chosen == (*PROMPT.messages, {"role": "assistant", "content": "I AM QWEN."})
    assert (pair.method, pair.judge, pair.model, pair.prompt_id) == ("upper", "case", "m", PROMPT.id)
    assert CorrectionPairer(Upper()).settings() == {"edit": "upper"}


def test_correct_takes_the_first_answer_that_can_be_edited_else_says_what_is_wrong_with_the_first() -> None:
    cut = Answer("I am Qw", "length")
    pair = CorrectionPairer(Upper()).pair(PROMPT, [cut, *whole("a", "b")], [], "m")
    assert isinstance(pair, Pair) and pair.rejected[-1]["content"] == "a"
    assert CorrectionPairer(Upper()).pair(PROMPT, [cut, Answer("other", "length")], [], "m") == Skip(
        "cut_off", "I am Qw"
    )
    assert CorrectionPairer(Upper()).pair(PROMPT, [], [], "m") == Skip("empty")


def test_best_against_worst_and_no_pair_of_a_tie() -> None:
    pairer = BestWorstPairer("reference")
    pair = pairer.pair(PROMPT, whole("a", "b", "c"), [0.5, 1.0, 0.0], "m")
    assert isinstance(pair, Pair)
    assert (pair.chosen[-1]["content"], pair.rejected[-1]["content"]) == ("b", "c")
    assert (pair.chosen_score, pair.rejected_score) == (1.0, 0.0)
    tie = pairer.pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
    assert isinstance(tie, Skip) and tie.reason == "tie"
    near = BestWorstPairer("reference", margin=0.5).pair(PROMPT, whole("a", "b"), [0.5, 1.0], "m")
    assert isinstance(near, Skip) and near.reason == "below_margin" and near.detail.startswith("0.5 apart")


def test_best_and_worst_that_differ_in_spaces_or_case_alone_are_no_pair() -> None:
    same = BestWorstPairer("reference").pair(PROMPT, whole("Sheep.", "sheep. "), [1.0, 0.0], "m")
    assert isinstance(same, Skip) and same.reason == "identical"


def test_usable_drops_cut_blank_and_repeated_answers() -> None:
    assert usable([Answer("a", "length"), *whole("b", "", "b", "c")]) == whole("b", "c")


def test_no_margin_makes_a_pair_of_equals() -> None:
    for margin in (-1.0, float("nan")):
        tie = BestWorstPairer("f", margin).pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
        assert isinstance(tie, Skip)
        assert tie.reason == "tie"
