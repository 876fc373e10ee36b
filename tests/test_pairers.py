"""Answers become a pair, or a Skip that says why not."""

from typing import Any

import pytest

from pairforge.pairers import BestWorstPairer, CorrectionPairer, Edited, up_to_sentence, usable
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


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I am X. I was made by", "I am X."),
        ('He said "I am X." Then he', 'He said "I am X."'),
        ("It costs 3.5 and is version 2.", None),
        ("Is it? Yes! But then", "Is it? Yes!"),
        ("我是小智。我由", "我是小智。"),
        ("I am a model that", None),
        ("", None),
    ],
)
def test_an_answer_that_is_cut_off_has_whole_sentences(text: str, kept: str | None) -> None:
    cut = Answer(text, "length", 5)
    assert up_to_sentence(cut) == (cut if kept is None else Answer(kept, "stop", 5))
    assert up_to_sentence(Answer(text, "stop")) == Answer(text, "stop")


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


def picked(texts: str, scores: list[float], **options: Any) -> list[tuple[str, str]] | Skip:
    """Return (chosen, rejected) of each pair of answers that are letters, each as many tokens long as its place."""
    answers = [Answer(text, "stop", index) for index, text in enumerate(texts.split(), 1)]
    made = BestWorstPairer("f", **options).pair(PROMPT, answers, scores, "m")
    return made if isinstance(made, Skip) else [(p.chosen[-1]["content"], p.rejected[-1]["content"]) for p in made]


def test_best_against_worst_and_no_pair_of_a_tie() -> None:
    pairer = BestWorstPairer("reference")
    made = pairer.pair(PROMPT, whole("a", "b", "c"), [0.5, 1.0, 0.0], "m")
    assert isinstance(made, list)
    assert (made[0].chosen[-1]["content"], made[0].rejected[-1]["content"]) == ("b", "c")
    assert (made[0].chosen_score, made[0].rejected_score, made[0].method) == (1.0, 0.0, "best_worst")
    assert pairer.settings() == {"pairer": "best_worst", "margin": 0.0}
    tie = pairer.pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
    assert isinstance(tie, Skip) and tie.reason == "tie"
    near = BestWorstPairer("reference", margin=0.5).pair(PROMPT, whole("a", "b"), [0.5, 1.0], "m")
    assert isinstance(near, Skip) and near.reason == "below_margin" and near.detail.startswith("0.5 apart")


def test_best_and_worst_that_differ_in_spaces_or_case_alone_are_no_pair() -> None:
    same = BestWorstPairer("reference").pair(PROMPT, whole("Sheep.", "sheep. "), [1.0, 0.0], "m")
    assert isinstance(same, Skip) and same.reason == "identical"


@pytest.mark.parametrize(
    ("pick", "rejected"),
    [("best-worst", "e"), ("best-second", "b"), ("matched", "dd"), ("sigma", "e")],
)
def test_each_pick_rejects_another_answer(pick: str, rejected: str) -> None:
    assert picked("aaa b c dd e", [9, 8, 7, 6, 0], pick=pick) == [("aaa", rejected)]


def test_sigma_leaves_out_an_outlier() -> None:
    scores = [1.0] * 20 + [0.6, 0.1]  # two standard deviations below the mean: 0.54
    texts = " ".join(f"a{index}" for index in range(20)) + " near far"
    assert picked(texts, scores, pick="sigma") == [("a0", "near")]
    assert picked(texts, scores) == [("a0", "far")]


def test_a_random_one_is_worse_than_the_best_and_always_the_same() -> None:
    [(best, other)] = picked("a b c d", [1, 2, 3, 4], pick="best-random") or []
    assert best == "d" and other in "abc"
    assert picked("c d a b", [3, 4, 1, 2], pick="best-random") == [("d", other)]


def test_several_pairs_of_a_prompt_are_the_ones_furthest_apart() -> None:
    assert picked("a b c", [0, 1, 3], pick="all-pairs", per_prompt=2) == [("c", "a"), ("c", "b")]
    assert len(picked("a b c", [0, 1, 3], pick="all-pairs", per_prompt=9) or []) == 3
    assert picked("a b c", [0, 1, 3], margin=1.5, pick="all-pairs", per_prompt=9) == [("c", "a"), ("c", "b")]
    assert picked("a b c", [0, 1, 1.1], margin=0.5, pick="best-second") == [("c", "a")]


def test_lengths_that_are_far_apart_are_no_pair() -> None:
    assert picked("a b c d", [4, 0, 1, 2], max_length_gap=2) == [("a", "b")]
    far = picked("a b c d", [2, 2, 2, 0], max_length_gap=2)
    assert far == [("b", "d")]
    none = picked("a b c d", [2, 0, 0, 0], max_length_gap=0)
    assert isinstance(none, Skip) and none.reason == "length_gap"


def test_a_margin_in_deviations_is_that_of_all_scores() -> None:
    pairer = BestWorstPairer("f", margin=0.5, in_deviations=True).fitted([0.0, 10.0])
    assert (pairer.margin, pairer.in_deviations) == (2.5, False)
    assert BestWorstPairer("f", margin=0.5).fitted([0.0, 10.0]).margin == 0.5


def test_usable_drops_cut_blank_and_repeated_answers() -> None:
    assert usable([Answer("a", "length"), *whole("b", "", "b", "c")]) == whole("b", "c")


def test_no_margin_makes_a_pair_of_equals() -> None:
    for margin in (-1.0, float("nan")):
        tie = BestWorstPairer("f", margin).pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
        assert isinstance(tie, Skip)
        assert tie.reason == "tie"
