"""A reference counts where it stands as a whole word or number."""

import pytest

from pairforge.judges.reference import ReferenceJudge, contains
from pairforge.types import Message, Prompt, Skip


@pytest.mark.parametrize(
    ("reference", "text"),
    [("19", "12 + 7 = 19."), ("19", "是19。"), ("paris", "It's Paris!"), ("cat", "是cat。"), ("巴黎", "首都是巴黎。")],
)
def test_it_stands(reference: str, text: str) -> None:
    assert contains(text, reference)


@pytest.mark.parametrize(
    ("reference", "text"), [("19", "119"), ("19", "190"), ("19", "19.5"), ("5", "-5"), ("cat", "cats"), ("cat", "")]
)
def test_it_does_not(reference: str, text: str) -> None:
    assert not contains(text, reference)


def test_scores() -> None:
    messages = (Message(role="user", content="1+1?"),)
    assert ReferenceJudge().score(Prompt(messages, {"reference": ["2", "two"]}), ["Two.", "3"]) == [1.0, 0.0]
    assert all(isinstance(score, Skip) for score in ReferenceJudge().score(Prompt(messages), ["2"]))


@pytest.mark.parametrize("reference", [2, [2], ["", None, 2], 2.5, 0, [0]])
def test_a_number_is_a_reference(reference: object) -> None:
    messages = (Message(role="user", content="1+1?"),)
    wanted = next(
        str(one) for one in (reference if isinstance(reference, list) else [reference]) if one not in ("", None)
    )
    assert ReferenceJudge().score(Prompt(messages, {"reference": reference}), [f"= {wanted}.", "None"]) == [1.0, 0.0]


@pytest.mark.parametrize("reference", [[], None, "", " ", ["", None], {"a": 1}])
def test_without_a_reference_nothing_is_judged(reference: object) -> None:
    messages = (Message(role="user", content="1+1?"),)
    [score] = ReferenceJudge().score(Prompt(messages, {"reference": reference}), ["2"])
    assert isinstance(score, Skip) and score.reason == "unjudged"
