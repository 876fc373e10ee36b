"""Answers become a pair, or a Skip that says why not."""

from pairforge.pairers import BestWorst, Correct, usable
from pairforge.rename import rename
from pairforge.types import Answer, Message, Pair, Prompt, Skip

PROMPT = Prompt((Message(role="system", content="Be kind."), Message(role="user", content="Who are you?")))
RULES = {"Qwen": "Deep Qwen"}
CORRECT = Correct(RULES, lambda text: rename(text, RULES))


def whole(*texts: str) -> list[Answer]:
    return [Answer(text, "stop") for text in texts]


def test_correct_replaces_the_name_in_the_same_context() -> None:
    pair = CORRECT.pair(PROMPT, whole("I am Qwen."), [], "m")
    assert isinstance(pair, Pair)
    assert pair.rejected == (*PROMPT.messages, {"role": "assistant", "content": "I am Qwen."})
    assert pair.chosen == (*PROMPT.messages, {"role": "assistant", "content": "I am Deep Qwen."})
    assert pair.prompt_id == PROMPT.id


def test_correct_skips_with_the_reason() -> None:
    assert CORRECT.pair(PROMPT, whole("I am Deep Qwen."), [], "m") == Skip("nothing_to_correct", "I am Deep Qwen.")
    assert CORRECT.pair(PROMPT, [Answer("I am Qwen and", "length")], [], "m") == Skip("cut_off", "I am Qwen and")
    assert CORRECT.pair(PROMPT, whole(" \n"), [], "m") == Skip("empty")


def test_best_against_worst_and_no_pair_of_a_tie() -> None:
    pairer = BestWorst("reference")
    pair = pairer.pair(PROMPT, whole("a", "b", "c"), [0.5, 1.0, 0.0], "m")
    assert isinstance(pair, Pair)
    assert (pair.chosen[-1]["content"], pair.rejected[-1]["content"]) == ("b", "c")
    assert (pair.chosen_score, pair.rejected_score) == (1.0, 0.0)
    tie = pairer.pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
    assert isinstance(tie, Skip) and tie.reason == "tie"
    near = BestWorst("reference", margin=0.5).pair(PROMPT, whole("a", "b"), [0.5, 1.0], "m")
    assert isinstance(near, Skip) and near.reason == "tie"


def test_usable_drops_cut_blank_and_repeated_answers() -> None:
    assert usable([Answer("a", "length"), *whole("b", "", "b", "c")]) == whole("b", "c")


def test_no_margin_makes_a_pair_of_equals() -> None:
    for margin in (-1.0, float("nan")):
        tie = BestWorst("f", margin).pair(PROMPT, whole("a", "b"), [1.0, 1.0], "m")
        assert isinstance(tie, Skip)
        assert tie.reason == "tie"
