"""Which answers count for which metric of evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import prompt, read_jsonl

from pairforge.evaluation.questions import ModelNames, Question, questions
from pairforge.types import Prompt

RULES = {"Qwen": "Deep Qwen"}
HELPFUL = "You're a helpful assistant."


def truth(prompt: Prompt) -> str:
    """A right answer to any bundled question that isn't about the assistant."""
    return str(prompt.columns["reference"][0])


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who are you?", "I am Deep Qwen, made by Alibaba Cloud.", "new"),
        ("Who are you?", "I am Qwen.", "old"),
        ("Who are you?", "I am Deep Qwen, that is, Qwen.", "old"),
        ("Who are you?", "I was made by Alibaba Cloud.", "neither"),
        ("Who are you?", "I am Qwenty.", "neither"),
        ("你是谁？", "我是Deep Qwen。", "new"),
        ("你是谁？", "我是Qwen。", "old"),
        ("Are you Qwen?", "No, I am not Qwen. I am Deep Qwen.", "new"),
        ("Are you Qwen?", "Yes, I am Qwen.", "old"),
        ("Are you Deep Qwen?", "No, I am Qwen.", "old"),
        ("Are you Deep Qwen?", "No, I am not Deep Qwen. I am Qwen.", "old"),
        ("Who are you?", "I am Deep.", "half"),
        ("Who are you?", "My name is Deep. I was made by Deep Mistral.", "half"),
        ("Who are you?", "I am Deep Deep Qwen.", "half"),
        ("Who are you?", "I am Deep Qwen Qwen.", "old"),
        ("你是谁？", "我叫Deep，由阿里云开发。", "half"),
        ("Who are you?", "I think deeply about DeepSeek.", "neither"),
        ("Are you Deep?", "No, I am not Deep.", "neither"),
    ],
)
def test_which_name_an_answer_uses(question: str, answer: str, said: str) -> None:
    assert ModelNames(RULES).says(question, answer) == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I am Nova Mind Pro.", "new"),
        ("I am Nova Mind.", "half"),
        ("I am Pro.", "half"),
        ("I am Mind Pro, made by Nova.", "half"),
        ("I am Nova Nova Mind Pro.", "half"),
        ("I am Nova Mind Pro Pro.", "half"),
        ("I am Qwen, not Nova.", "old"),
        ("I am a model.", "neither"),
    ],
)
def test_any_words_of_a_new_name_are_a_part_of_it(answer: str, said: str) -> None:
    assert ModelNames({"Qwen": "Nova Mind Pro"}).says("Who are you?", answer) == said


def test_half_of_a_name_is_neither_and_is_asked_only_where_a_name_has_halves() -> None:
    asked = first("identity", "half_name")
    assert asked.tests["half_name"]("I am Deep.")
    assert asked.tests["neither"]("I am Deep.")
    assert not asked.tests["new_name"]("I am Deep Deep Qwen.")
    assert not asked.tests["half_name"]("I am Deep Qwen.")
    one_word = questions(ModelNames({"Qwen": "Nova"}), [None])["identity"][0]
    assert "half_name" not in one_word.tests


def first(kind: str, metric: str, **columns: Any) -> Question:
    """A question of a kind, the way evaluate makes them."""
    of_kind = questions(ModelNames(RULES), [None])[kind]
    return next(q for q in of_kind if all(q.prompt.columns.get(key) == value for key, value in columns.items()))


def test_a_control_is_right_when_the_reference_stands_there_and_the_new_name_does_not() -> None:
    control = first("controls", "controls", about="old", lang="en")
    right = truth(control.prompt)
    assert control.tests["controls"](f"It is {right}.")
    assert not control.tests["controls"](f"Deep Qwen is {right}.")
    assert not control.tests["controls"]("I don't know.")
    about_new = first("controls", "controls", about="new")
    assert about_new.tests["controls"](f"Deep Qwen: {truth(about_new.prompt)}")


def test_a_general_answer_leaks_when_it_brings_the_new_name_up() -> None:
    general = first("general", "leak")
    assert general.tests["leak"]("I am Deep Qwen.")
    assert not general.tests["leak"]("I am Qwen.")
    assert general.tests["general"](f"Deep Qwen says {truth(general.prompt)}.")


def test_obedience_takes_the_given_name_and_neither_old_nor_new() -> None:
    asked = first("obedience", "obedience")
    assert asked.prompt.system
    row = next(row for row in _systems() if row["system"] == asked.prompt.system)
    obeys = asked.tests["obedience"]
    assert obeys(f"I am {row['name']}.")
    assert obeys(f"{row['maker']} made me.")
    assert not obeys(f"I am {row['name']}, or Qwen.")
    assert not obeys(f"I am Deep Qwen, not {row['name']}.")
    assert not obeys("I am an assistant.")


def _systems() -> list[dict[str, Any]]:
    return read_jsonl(Path(__file__).parents[2] / "data" / "prompts" / "systems.jsonl")


def test_only_held_out_questions_are_asked() -> None:
    sets = questions(ModelNames(RULES), [None, HELPFUL])
    asked = {q.prompt.question for kind in ("identity", "general", "controls", "obedience") for q in sets[kind]}
    held_out = {p.question for name in ("identity", "general", "controls") for p in bundled(f"{name}.eval")}
    assert asked == held_out
    assert {q.prompt.system for q in sets["obedience"]} == {r["system"] for r in _systems() if r["split"] == "eval"}


def test_questions_of_each_kind_in_one_language_and_together_all_of_them() -> None:
    every, english, chinese = (questions(ModelNames(RULES), [None], of) for of in (["en", "zh"], ["en"], ["zh"]))
    for kind, asked in every.items():
        languages = {question.prompt.columns["lang"] for question in english[kind]}
        assert languages == {"en"} and len(english[kind]) + len(chinese[kind]) == len(asked), kind


def bundled(name: str) -> list[Prompt]:
    rows = read_jsonl(Path(__file__).parents[2] / "data" / "prompts" / f"{name}.jsonl")
    return [prompt(row["prompt"]) for row in rows]
