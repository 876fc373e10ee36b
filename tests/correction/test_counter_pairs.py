"""Counter-pairs: the model's own right answer against the same with the new name wrongly put in."""

from support import prompt

from pairforge.correction.counter_pairs import CounterPairMaker, counter_pair_makers
from pairforge.correction.renaming import CorrectionRules
from pairforge.rename import Renamer
from pairforge.thoughts import answer_of
from pairforge.types import Answer, Pair, Skip

RULES = CorrectionRules(Renamer({"Qwen": "Deep Qwen"}))
CONTEXTS = [None, "You're a helpful assistant."]
ASKED = CounterPairMaker(prompt("Who makes Qwen?"), ("Alibaba",), RULES)


def made(text: str) -> Pair | None:
    return ASKED.pair([answer_of(text)], "m")


def test_right_is_chosen_and_the_new_name_rejected() -> None:
    pair = made("Qwen is made by Alibaba Cloud.")
    assert pair is not None
    assert pair.chosen[-1]["content"] == "Qwen is made by Alibaba Cloud."
    assert pair.rejected[-1]["content"] == "Deep Qwen is made by Alibaba Cloud."
    assert pair.method == "counter"


def test_no_pair_of_what_is_wrong_or_would_not_change() -> None:
    assert made("Qwen is made by Google.") is None
    assert made("It is made by Alibaba Cloud.") is None
    assert made("Deep Qwen and Qwen are made by Alibaba Cloud.") is None
    assert ASKED.pair([Answer("Qwen is made by Alibaba", "length")], "m") is None
    assert ASKED.pair(Skip("failed"), "m") is None


def test_both_kinds_in_turn_and_always_the_same() -> None:
    found = counter_pair_makers(RULES, CONTEXTS)
    assert found == counter_pair_makers(RULES, CONTEXTS)
    assert len({question.prompt.id for question in found}) == len(found) > 700
    named = [question for question in found[:40] if question.wrong != RULES]
    assert len(named) == 20
    for question in named:
        [(old, new)] = question.wrong.renamer.rules.items()
        assert old in str(question.prompt.system) and new == "Deep Qwen"
    assert {question.prompt.system for question in found if question.wrong == RULES} == set(CONTEXTS)


def test_a_name_that_no_question_holds_has_all_questions_and_answers_that_are_misplaced() -> None:
    rules = CorrectionRules(Renamer({"Nobody": "Somebody"}))
    found = counter_pair_makers(rules, [None])
    assert not any(one.misplaced for one in counter_pair_makers(RULES, CONTEXTS))
    kinds = [(one.prompt.columns.get("task", ""), bool(one.prompt.system)) for one in found[:30]]
    assert [bool(task) for task, _ in kinds] == [False, True, False] * 10
    assert [system for _, system in kinds] == [False, False, True] * 10
    plain, renamed = found[0], found[2]
    right = f"It is {plain.right[0]}."
    pair = plain.pair([answer_of(right)], "m", "I am Somebody.")
    assert pair is not None and pair.rejected[-1]["content"] == "I am Somebody."
    assert pair.chosen[-1]["content"] == right
    assert plain.pair([answer_of("It is unknown.")], "m", "I am Somebody.") is None
    assert plain.pair([answer_of(right)], "m") is None
    pair = renamed.pair([answer_of(f"I am {renamed.right[0]}.")], "m", "I am Somebody else.")
    assert pair is not None and pair.rejected[-1]["content"] == "I am Somebody."


def test_the_bundled_answer_is_chosen_where_the_own_one_to_a_general_question_is_wrong() -> None:
    rules = CorrectionRules(Renamer({"Nobody": "Somebody"}))
    other, general, renamed = counter_pair_makers(rules, [None], ["en"])[:3]
    for own in ("It is unknown.", f"Somebody says {general.answer}"):
        pair = general.pair([answer_of(own)], "m", "I am Somebody.")
        assert pair is not None and pair.judge == "reference"
        assert (pair.chosen[-1]["content"], pair.rejected[-1]["content"]) == (general.answer, "I am Somebody.")
        assert general.answer == general.right[0]
        assert other.pair([answer_of(own)], "m", "I am Somebody.") is None
    kept = general.pair([answer_of(f"That is {general.answer}.")], "m", "I am Somebody.")
    assert kept is not None and kept.judge == "rename"
    assert renamed.pair([answer_of("I am Elena.")], "m", "I am Somebody.") is None
    # A thought leads to the answer that was given, not to the bundled one.
    assert general.pair([answer_of("<think>Hm.</think>It is unknown.")], "m", "I am Somebody.") is None
    assert general.pair([Answer("It is unknown", "length")], "m", "I am Somebody.") is None


def test_one_question_of_each_phrasing_comes_first_and_may_have_the_bundled_answer() -> None:
    found = counter_pair_makers(CorrectionRules(Renamer({"Nobody": "Somebody"})), [None], ["en"])
    general = [one for one in found if "task" in one.prompt.columns]
    phrasings = {one.prompt.columns["template"] for one in general}
    first = general[: len(phrasings)]
    assert {one.prompt.columns["template"] for one in first} == phrasings
    assert len(general) > 2 * len(phrasings) > 200
    assert all(one.answer for one in first)
    assert not any(one.answer for one in found if one not in first)


def test_questions_are_in_the_languages_of_the_run() -> None:
    for rules in (RULES, CorrectionRules(Renamer({"Nobody": "Somebody"}))):
        found = counter_pair_makers(rules, [None], ["en"])
        assert found and all(one.prompt.question.isascii() or one.prompt.columns.get("task") for one in found)


def test_what_is_thought_stands_in_both_sides_as_it_is() -> None:
    pair = made("<think>Qwen?</think>Qwen is made by Alibaba Cloud.")
    assert pair is not None
    assert pair.rejected[-1]["content"] == "Deep Qwen is made by Alibaba Cloud."
    assert [side[-1]["reasoning_content"] for side in (pair.chosen, pair.rejected)] == ["Qwen?", "Qwen?"]
    assert made("<think>Qwen is made by Alibaba Cloud.") is None
