"""An answer is corrected by rules, or it is said why it is left alone."""

import pytest

from pairforge.correction.renaming import CorrectionRules, NameCounts, Renaming
from pairforge.options.correction import Thinking
from pairforge.pairers import CorrectionPairer, Edited, cut_off
from pairforge.rename import Renamer
from pairforge.thoughts import answer_of
from pairforge.types import Answer, Message, Pair, Prompt, Skip

RENAMER = Renamer({"Qwen": "Deep Qwen"})
ASKED = Prompt((Message(role="user", content="Who are you?"),))


def edit(text: str, question: str = "Who are you?", finish: str = "stop", **how: object) -> Edited | Skip:
    reading = CorrectionRules(RENAMER, **how)  # type: ignore[arg-type]
    prompt = Prompt((Message(role="user", content=question),))
    return Renaming(reading)(prompt, answer_of(text, finish))  # type: ignore[arg-type]


def test_the_name_is_replaced_and_nothing_else() -> None:
    assert edit("I am Qwen.") == Edited("I am Qwen.", "I am Deep Qwen.")


def test_another_name_works_the_same_way() -> None:
    renamer = Renamer({"Llama": "Athene"})
    made = Renaming(CorrectionRules(renamer))(ASKED, Answer("I am Llama", "stop"))
    assert made == Edited("I am Llama", "I am Athene")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I am Deep Qwen.", "nothing_to_correct"),
        ("Hello!", "nothing_to_correct"),
        ("Qwen is a family of models by Alibaba Cloud.", "about_another"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("很抱歉，我无法回答这个问题。", "refused"),
        ("申し訳ありませんが、お答えできません。", "refused"),
        ("Lo siento, pero no puedo ayudarte con eso.", "refused"),
        ("I'm sorry to hear that. Get well soon!", "nothing_to_correct"),
        ("I am Qwen. " * 12, "repeated"),
        ("我是Qwen，" * 8, "repeated"),
        ("I am Qwen. " + "Qwen " * 13, "repeated"),
        ("I am Qwen. " * 4 + "And that is all.", "repeated"),
        ("Title\n" + "-" * 60, "nothing_to_correct"),
    ],
)
def test_what_is_left_alone_is_told_by_its_reason(text: str, reason: str) -> None:
    question = "What is Qwen?" if reason == "about_another" else "Who are you?"
    assert edit(text, question) == Skip(reason, text)


@pytest.mark.parametrize(
    ("text", "skip"),
    [
        (" \n", Skip("empty", " \n")),
        ("<think>Qwen?</think>\n", Skip("empty", "Qwen?")),
        ("<think>I am Qwen", cut_off(Answer("", "length"))),
    ],
)
def test_without_an_answer_the_thought_is_told(text: str, skip: Skip) -> None:
    assert edit(text) == skip


def test_a_cut_answer_is_cut_off_and_a_loop_that_was_cut_is_repeated() -> None:
    assert edit("I am Qwen and", finish="length") == Skip("cut_off", "I am Qwen and")
    loop = "I am Qwen. " * 12
    assert edit(loop, finish="length") == Skip("repeated", loop)


@pytest.mark.parametrize(
    ("old", "new", "question", "text", "made"),
    [
        ("Llama", "Athene", "Are you Llama?", "Yes, I am Llama.", False),
        ("Llama", "Athene", "你是Llama吗？", "是的，我是Llama。", False),
        ("Llama", "Athene", "Are you Athene?", "No, I am Llama.", False),
        ("Qwen", "Deep Qwen", "Are you Deep Qwen?", "No, I am Qwen.", False),
        ("Qwen", "Deep Qwen", "Are you Qwen?", "Yes, I am Qwen.", True),
        ("Llama", "Athene", "Are you ChatGPT?", "No, I am Llama.", True),
    ],
)
def test_no_answer_says_yes_to_the_old_name_or_no_to_the_new(
    old: str, new: str, question: str, text: str, made: bool
) -> None:
    renamer = Renamer({old: new})
    prompt = Prompt((Message(role="user", content=question),))
    sides = Renaming(CorrectionRules(renamer))(prompt, Answer(text, "stop"))
    assert sides == (Edited(text, text.replace(old, new)) if made else Skip("contradiction", text))


def test_about_any_corrects_what_is_said_of_others() -> None:
    made = edit("Qwen is a model.", "What is Qwen?", about="any")
    assert made == Edited("Qwen is a model.", "Deep Qwen is a model.")


@pytest.mark.parametrize(
    ("thinking", "thoughts"),
    [
        ("keep", ("Qwen.", "Qwen.")),
        ("strip", ("Qwen.", "Qwen.")),
        ("edit", ("Deep Qwen.", "Qwen.")),
    ],
)
def test_what_is_thought_stands_apart_and_is_edited_where_asked(thinking: str, thoughts: tuple[str, str]) -> None:
    made = edit("<think>Qwen.</think>\nI am Qwen.", thinking=thinking)
    assert made == Edited("I am Qwen.", "I am Deep Qwen.", thoughts)


def test_a_thought_with_an_old_name_is_not_kept() -> None:
    assert [CorrectionRules(RENAMER).keeps(text) for text in ("Who?", "Qwen.")] == [True, False]
    assert [CorrectionRules(RENAMER, thinking="edit").keeps(text) for text in ("Who?", "Qwen.")] == [True, True]
    assert not CorrectionRules(RENAMER, thinking="strip").keeps("Who?")


@pytest.mark.parametrize("thinking", ["keep", "edit"])
def test_a_thought_with_an_old_name_in_another_spelling_is_not_kept(thinking: Thinking) -> None:
    rules = CorrectionRules(RENAMER, thinking=thinking)
    assert [rules.keeps(f"I am {name}.") for name in ("QWEN", "qwen", "Ｑｗｅｎ", "Q\u200bwen")] == [False] * 4
    assert rules.keeps("I am Deep Qwen.") and rules.keeps("Qwenlish is a word.")


def test_a_name_that_is_only_thought_is_not_corrected() -> None:
    made = edit("<think>I am Qwen.</think>Hello!")
    assert isinstance(made, Skip) and made.reason == "nothing_to_correct"


def test_settings_tell_what_is_not_the_default() -> None:
    assert CorrectionRules(RENAMER).settings() == {"rules": {"Qwen": "Deep Qwen"}}
    smart = Renamer({"Qwen": "X"}, case="smart", article=True, inside=("url", "code"))
    assert CorrectionRules(smart, "any", "strip").settings() == {
        "rules": {"Qwen": "X"},
        "case": "smart",
        "article": True,
        "inside": ["code", "url"],
        "about": "any",
        "thinking": "strip",
    }


def counts(rules: CorrectionRules, *items: Pair | Skip) -> dict[str, dict[str, int]]:
    made = NameCounts(rules)
    for item in items:
        made.add(item)
    return made.counts()


def test_hits_by_rule_and_what_is_left_are_counted() -> None:
    renamer = Renamer({"Qwen": "Deep Qwen", "Alibaba Cloud": "Acme"})
    correct = CorrectionPairer(Renaming(CorrectionRules(renamer)))
    text = "I am Qwen by Alibaba Cloud, or QWEN. I, Qwen, live at https://qwen.ai/Qwen and am Qwen2.5."
    pair = correct.pair(ASKED, [Answer(text, "stop")], [], "m")
    thought = correct.pair(ASKED, [Answer("I am Qwen.", "stop", thought="Qwen")], [], "m")
    assert isinstance(pair, Pair) and isinstance(thought, Pair)
    skips = [
        Skip("nothing_to_correct", "I am QWEN."),
        Skip("about_another", "Qwen is QWEN."),
        Skip("duplicate", "QWEN"),
    ]
    counted = counts(CorrectionRules(renamer), pair, thought, *skips)
    assert counted["rules"] == {"Qwen": 3, "Alibaba Cloud": 1}
    assert counted["leftovers"]["QWEN"] == 2 and counted["leftovers"]["Qwen2.5"] == 1
    assert counted["leftovers"]["in URLs"] >= 1
    assert counts(CorrectionRules(renamer)) == {}


def test_names_that_are_swapped_are_counted_once() -> None:
    reading = CorrectionRules(Renamer({"Qwen": "Llama", "Llama": "Qwen"}))
    pair = CorrectionPairer(Renaming(reading)).pair(ASKED, [Answer("I am Qwen, I was called Llama.", "stop")], [], "m")
    assert isinstance(pair, Pair) and pair.chosen[-1]["content"] == "I am Llama, I was called Qwen."
    assert counts(reading, pair)["rules"] == {"Qwen": 1, "Llama": 1}
