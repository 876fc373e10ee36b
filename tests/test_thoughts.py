"""What is thought is told from what is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.thoughts import answer_of, begun_by, marks_in, split, written
from pairforge.types import Answer, Message, Pair, Prompt, ThoughtForm


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("<think>\nWho am I? Qwen.\n</think>\n\n", "Who am I? Qwen."),
        ("<think>\n\n</think>\n\n", ""),
        ("\n<thinking>a</thinking> ", "a"),
        ("<Reasoning>a</Reasoning>\n", "a"),
        ("<thought>a</thought>\n", "a"),
        ("<scratchpad>a</scratchpad>\n", "a"),
        ("<seed:think>a</seed:think>", "a"),
        ("[THINK]a[/THINK]", "a"),
        ("<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>", "a"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_TEXT|>", "a"),
        ("<|channel>thought\na\n<channel|>", "a"),
        ("<|inner_prefix|>a<|inner_suffix|>", "a"),
        ("◁think▷a◁/think▷", "a"),
        ("<think>a</think>\n<think>b</think>\n", "a\nb"),
        ("Opened by the template.\n</think>\n\n", "Opened by the template."),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>", "a"),
        ("<|channel|>final<|message|>", ""),
        ("<|channel|>commentary<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>", "a"),
        ("<|think|>a<|end|><|begin|>assistant<|think|>b<|end|><|begin|>assistant<|content|>", "a\nb"),
        ("analysisWho am I?\nQwen.assistantfinal", "Who am I?\nQwen."),
        ("Here is my thought process: a Here is my response: ", "a"),
        ("Here's my thought process:\na\nHere's my response:\n", "a"),
        ("Thinking...\na\n...done thinking.\n\n", "a"),
        ("<think:opensource>a</think:opensource>", "a"),
        ("<longcat_think>a</longcat_think>\n", "a"),
        ("<|channel|>analysis<|message|>a<|end|><|channel|>final <|constrain|>json<|message|>", "a"),
    ],
)
def test_a_leading_block_is_thought(text: str, thought: str) -> None:
    assert answer_of(text + "I am Qwen.") == Answer("I am Qwen.", "stop", thought=thought)
    assert answer_of(text) == Answer("", "stop", thought=thought)


@pytest.mark.parametrize(
    "text", ["<think>I am", "<think>a</thinking>b", "<think>a</think><think>b", "[THINK]", "<|channel>thought\nI am"]
)
def test_a_thought_without_an_end_is_no_answer(text: str) -> None:
    found = answer_of(text)
    assert (found.text, found.finish) == ("", "length")


@pytest.mark.parametrize(
    "text",
    [
        "I am Qwen.", "", "Analysis shows x.", "Write <think> first.", " I think so.", "<b>x</b>", "<answer>5</answer>",
        "Here is my thought process: none.", "Put it between <think> and </think>, please.",
    ],
)  # fmt: skip
def test_there_may_be_none(text: str) -> None:
    assert answer_of(text) == Answer(text, "stop")


def test_a_thought_may_be_begun_in_the_prompt() -> None:
    begun = begun_by("<｜User｜>Who are you?<｜Assistant｜><think>\n")
    assert begun == "<think>"
    assert split("I am R1.\n</think>\n\nI am", begun)[0] == "I am R1."
    assert split("<think>\nI am R1.\n</think>\n\nI am", begun)[0] == "I am R1."
    assert not split("I am R1.", begun).whole
    assert begun_by("<|im_start|>assistant\n<think>\n\n</think>\n\n") == begun_by("Who are you?") == ""


def test_what_encloses_an_answer_is_no_part_of_it() -> None:
    for text in (
        "<think>a</think><answer>\n5\n</answer>",
        "<think>a</think><|START_RESPONSE|>5<|END_RESPONSE|>",
        "<think:opensource>a</think:opensource>\n<answer:opensource>\n5\n</answer:opensource>",
        "<think>a</think>\n<|begin_of_box|>5<|end_of_box|>",
        "<thinking>a</thinking><output>5</output>",
        "Here are my reasoning steps:\na\n[BEGIN FINAL RESPONSE]\n5\n[END FINAL RESPONSE]",
        "a\n[BEGIN FINAL RESPONSE]\n5",
    ):
        assert answer_of(text) == Answer("5", "stop", thought="a")


MARKS = ["<think>", "</think>", "[THINK]", "[/THINK]", " ", "\n", "I am Qwen", "<", "analysis"]


@given(st.lists(st.sampled_from(MARKS)).map("".join), st.sampled_from(["stop", "length"]))
def test_an_answer_is_stored_as_one_text(text: str, finish: str) -> None:
    found = answer_of(text, finish)  # type: ignore[arg-type]
    if not any(mark in found.thought + found.text for mark in MARKS[:4]) and found.text == found.text.strip():
        assert answer_of(written(found), found.finish) == found


def test_a_pair_has_its_thoughts_where_the_template_reads_them() -> None:
    pair = Pair.of(
        Prompt((Message(role="user", content="Who?"),)), "I am B.", "I am A.", ("b", "a"),
        method="correct", model="m", judge="rename", chosen_score=1.0, rejected_score=0.0,
    )  # fmt: skip
    assert ThoughtForm("thinking").pair(pair).chosen[-1] == {"role": "assistant", "content": "I am B.", "thinking": "b"}
    inside = ThoughtForm("content", *marks_in("{{ '[THINK]' }}")).pair(pair)
    assert inside.rejected[-1] == {"role": "assistant", "content": "[THINK]a[/THINK]I am A."}
    none = ThoughtForm("").pair(pair)
    assert none.chosen[-1] == {"role": "assistant", "content": "I am B."}
    assert len({pair.id, inside.id, none.id}) == 3
