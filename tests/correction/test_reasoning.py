"""What is thought aloud is told from what is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.correction.reasoning import split_reasoning


@pytest.mark.parametrize(
    "thought",
    [
        "<think>\nWho am I? Qwen.\n</think>\n\n",
        "<think></think>",
        "\n<thinking>a</thinking> ",
        "<Reasoning>a</Reasoning>\n",
        "<thought>a</thought>\n",
        "<scratchpad>a</scratchpad>\n",
        "<seed:think>a</seed:think>",
        "[THINK]a[/THINK]",
        "<|begin_of_thought|>a<|end_of_thought|>\n",
        "◁think▷a◁/think▷",
        "<think>a</think>\n<think>b</think>\n",
        "Opened by the template.\n</think>\n\n",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>",
        "analysisWho am I?\nQwen.assistantfinal",
    ],
)
def test_a_leading_block_is_thought(thought: str) -> None:
    assert split_reasoning(thought + "I am Qwen.") == (thought, "I am Qwen.")


@pytest.mark.parametrize("text", ["<think>I am", "<think>a</thinking>b", "<think>a</think><think>b", "[THINK]"])
def test_a_block_without_an_end_is_cut_off(text: str) -> None:
    assert split_reasoning(text) is None


@pytest.mark.parametrize(
    "text", ["I am Qwen.", "", "Analysis shows x.", "Write <think> first.", " I think so.", "<b>x</b>"]
)
def test_there_may_be_none(text: str) -> None:
    assert split_reasoning(text) == ("", text)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "[THINK]", "[/THINK]", " ", "\n", "I am Qwen", "<"])).map("".join)
)
def test_nothing_is_lost(text: str) -> None:
    parts = split_reasoning(text)
    assert parts is None or parts.reasoning + parts.body == text
