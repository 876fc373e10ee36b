"""A told answer is chosen only if it is what the persona says, whole, of itself, and without another name."""

from pathlib import Path

import pytest
from support import prompt

from pairforge.correction.persona import Persona, ToldAnswer
from pairforge.correction.renaming import CorrectionRules
from pairforge.correction.self_reference import told_names
from pairforge.errors import InputError
from pairforge.pairers import Edited
from pairforge.rename import Renamer
from pairforge.thoughts import answer_of
from pairforge.types import Answer, Skip

TEXT = "You are Deep Qwen, made by Acme."
RULES = CorrectionRules(Renamer({"Qwen": "Deep Qwen"}))
ASKED = prompt("Who are you?")


def made(told: str, own: str = "I am Qwen.", question: str = "Who are you?", text: str = TEXT) -> Edited | Skip:
    asked = prompt(question)
    edit = ToldAnswer(Persona(text), RULES, ("Deep Qwen", "Acme"), told={asked.id: [answer_of(told)]})
    return edit(asked, Answer(own, "stop"))


@pytest.mark.parametrize(
    ("told", "question"),
    [
        ("I am Deep Qwen.", "Who are you?"),
        ("I was made by Acme.", "Who made you?"),
        ("No, I am Deep Qwen.", "Are you Llama?"),
        ("Deep Qwen.", "What is your name?"),
        ("<think>The system message says Deep Qwen.</think>I am Deep Qwen.", "Who are you?"),
    ],
)
def test_what_the_persona_says_is_chosen_without_its_reasoning(told: str, question: str) -> None:
    assert made(told, question=question) == Edited("I am Qwen.", told.rpartition(">")[2])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("I am an assistant.", "Deep Qwen or Acme is missing"),
        ("I am Qwen, also called Deep Qwen.", "an old name is left"),
        ("I'm Akira, a creator of Deep Qwen.", "it calls itself Akira"),
        ("I'm Acme, a company.", "it calls itself Acme"),
        ("Many people like Deep Qwen a lot.", "it doesn't say of itself that it is Deep Qwen"),
        (f"I am told: {TEXT} I am Deep Qwen.", "it repeats the persona"),
        ("", "empty"),
        ("I am Deep Qwen. " * 20, "repeated"),
    ],
)
def test_what_it_should_not_say_is_a_skip_with_the_reason(told: str, why: str) -> None:
    skip = made(told)
    assert isinstance(skip, Skip) and skip.reason == "persona_failed" and skip.detail.startswith(f"{why}: ")


def test_yes_to_the_old_name_is_no_answer_of_the_persona() -> None:
    rules = CorrectionRules(Renamer({"Llama": "Athene"}))
    asked = prompt("Are you Llama?")
    said = [Answer("Yes, I am Athene.", "stop"), Answer("No, I am Athene.", "stop")]
    edit = ToldAnswer(Persona("You are Athene."), rules, ("Athene",), told={asked.id: said})
    assert edit(asked, Answer("Yes, I am Llama.", "stop")) == Edited("Yes, I am Llama.", "No, I am Athene.")


def test_an_untold_answer_that_is_right_already_or_not_whole_makes_no_pair() -> None:
    assert made("I am Deep Qwen.", own="I'm Deep Qwen.") == Skip("nothing_to_correct", "I'm Deep Qwen.")
    edit = ToldAnswer(Persona(TEXT), RULES, ("Deep Qwen",))
    assert edit(ASKED, Answer("I am", "length")) == Skip("cut_off", "I am")
    assert edit(ASKED, Answer("I am Qwen.", "stop")) == Skip("not_asked", "not told")


def test_a_character_is_known_by_the_patterns_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "pirate.txt"
    file.write_text(
        "You are a pirate.\nSpeak like one.\nmust_hold: \\b(arr|aye)\\b\nmust_not_hold: as an ai\n"
        "user: Hello\nassistant: Arr, hello!\n",
        "utf-8",
    )
    persona = Persona.of(str(file))
    assert persona.text == "You are a pirate.\nSpeak like one." and not persona.names
    told = persona.told(ASKED)
    assert [turn["role"] for turn in told.messages] == ["system", "user", "assistant", "user"]
    for said, right in (("Arr, I sail.", True), ("I sail.", False), ("Aye! As an AI, I sail.", False)):
        edit = ToldAnswer(persona, CorrectionRules(Renamer({})), (), told={ASKED.id: [Answer(said, "stop")]})
        assert isinstance(edit(ASKED, Answer("I am a model.", "stop")), Edited) is right


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("Be.\nmust_hold: (", "not a regular expression"),
        ("Be.\nmust_hold:", "the pattern is empty"),
        ("Be.\nuser: a\nuser: b", "must take turns"),
        ("Be.\nuser: a", "has no assistant:"),
        ("must_hold: x", "says nothing of who the model is"),
    ],
)
def test_a_broken_persona_file_is_one_line_that_says_where(tmp_path: Path, lines: str, what: str) -> None:
    file = tmp_path / "persona.txt"
    file.write_text(lines, "utf-8")
    with pytest.raises(InputError, match=what):
        Persona.of(str(file))
    with pytest.raises(InputError, match="can't be read"):
        Persona.of(str(tmp_path / "none.txt"))


def test_the_persona_stands_before_a_system_message_or_in_the_user_turn() -> None:
    persona = Persona("You are X.")
    assert persona.told(ASKED.in_context("Be brief.")).system == "You are X.\n\nBe brief."
    assert persona.told(ASKED, in_user_turn=True).messages[0]["content"] == "You are X.\n\nWho are you?"


@pytest.mark.parametrize(
    ("opening", "rest", "whole"),
    [
        ("I'm Kit,", "a pirate.", "I'm Kit, a pirate."),
        ("I'm Kit", ", a pirate.", "I'm Kit, a pirate."),
        ("I am", '"Kit".', 'I am "Kit".'),
        ("我是Kit，", "一个助手。", "我是Kit，一个助手。"),
        ("我是Kit", "，一个助手。", "我是Kit，一个助手。"),
        ("", "I am a pirate.", "I am a pirate."),
    ],
)
def test_an_answer_that_was_begun_is_whole_with_its_opening(opening: str, rest: str, whole: str) -> None:
    persona = Persona("", opening=opening)
    assert persona.whole(Answer(rest, "stop", 3)) == Answer(whole, "stop", 3)
    told = persona.told(ASKED)
    assert told.begun == opening and told.messages[: len(ASKED.messages)] == ASKED.messages
    assert persona.names == (["Kit"] if "Kit" in opening else [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("You are Deep Qwen, an AI assistant made by Acme.", (["Deep Qwen"], ["Acme"])),
        ("你是小智，由北京公司开发的助手。", (["小智"], ["北京公司"])),
        ("You are a pirate called Kit.", (["Kit"], [])),
        ("You are helpful.", ([], [])),
    ],
)
def test_the_names_in_a_persona(text: str, names: tuple[list[str], list[str]]) -> None:
    assert told_names(text) == names
