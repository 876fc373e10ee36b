"""A label is read with its probability where the answer has it, and never out of a text that is no verdict."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pairforge.samplers.label_probabilities import label_in, of_tokens

SCALE, LETTERS = tuple("123456789"), ("A", "B")


def token(text: str, **others: float) -> dict[str, Any]:
    """Return a token as servers give it, with the probabilities of others in its place; `_` stands for a space."""
    top = [{"token": name.replace("_", " "), "logprob": math.log(share)} for name, share in others.items()]
    return {"token": text, "logprob": -0.1, "top_logprobs": top}


def test_the_probabilities_are_those_in_the_place_of_the_label() -> None:
    said = [token("Score", **{"9": 1.0}), token(": "), token("7", **{"7": 0.5, "_7": 0.25, "8": 0.2, "x": 0.05})]
    assert of_tokens(said, "Score: 7", SCALE) == pytest.approx({"7": 0.75, "8": 0.2})


def test_a_thought_is_passed_over() -> None:
    thought = [token("<think>"), token("9", **{"9": 1.0}), token("</think>\n\n")]
    assert of_tokens([*thought, token("4", **{"4": 0.9})], "4", SCALE) == pytest.approx({"4": 0.9})


def test_a_label_in_json_may_share_its_token_with_a_quotation_mark() -> None:
    said = [token('{"verdict":'), token(' "B', **{'_"B': 0.6, '_"A': 0.3, '"': 0.1}), token('"}')]
    assert of_tokens(said, '{"verdict": "B"}', LETTERS) == pytest.approx({"B": 0.6, "A": 0.3})


@pytest.mark.parametrize(
    "tokens",
    [None, [], "7", [None], [{"token": 7}], [{"token": "7"}], [{"token": "7", "top_logprobs": None}],
     [{"token": "7", "top_logprobs": [{"token": "7", "logprob": "0"}]}], [{"token": "seven", "top_logprobs": []}],
     [{"token": "7", "top_logprobs": [{"token": "7", "logprob": 1e9}]}]],
)  # fmt: skip
def test_what_gives_no_probabilities_is_none(tokens: Any) -> None:
    assert of_tokens(tokens, "7", SCALE) is None


def test_a_text_that_is_no_verdict_has_no_label() -> None:
    assert of_tokens([token("I"), token(" say"), token(" 7", **{"7": 1.0})], "I say 7", SCALE) is None
    for text in (
        "-3",
        "3.5",
        "8/10",
        "0",
        "10",
        "7 8",
        "A",
        '{"score": 3, "why": "x"}',
        '{"score": 3',
        '{"score": 3}, {"score": 3}',
        "I am 7",
    ):
        assert label_in(text, SCALE) is None, text
    for text in ("A/B", "A B", "C", "neither", '{"A": 1, "B": 2}', "B is bad, A"):
        assert label_in(text, LETTERS) is None, text
    assert [label_in(text, LETTERS) for text in ('{"verdict": "a"}', '```json\n{"verdict": "B"}\n```')] == ["A", "B"]
