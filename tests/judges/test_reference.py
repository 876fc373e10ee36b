"""A reference counts where it stands as a whole word or number."""

import pytest

from pairforge import InputError
from pairforge.judges.reference import LengthJudge, PatternJudge, ReferenceJudge, contains
from pairforge.types import Message, Prompt, Skip

QUESTION = (Message(role="user", content="1+1?"),)


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


@pytest.mark.parametrize(
    ("match", "reference", "right", "wrong"),
    [
        ("exact", "Paris", ["paris.", " Paris"], ["It is Paris", "Pari"]),
        ("number", 1000, ["So 5 + 995 = 1,000.0", "1000"], ["1001", "none", "1000 or 7"]),
        ("number", "-0.5", ["x = -.5", "-0.50"], ["0.5"]),
        ("number", "the answer is 12", ["12"], ["21"]),
        ("choice", "B", ["The answer is (B).", "A? No, B"], ["B or C", "b", "Bad", ""]),
        ("choice", "c", ["C"], ["D"]),
    ],
)
def test_other_ways_to_match(match: str, reference: object, right: list[str], wrong: list[str]) -> None:
    judge = ReferenceJudge(match)
    assert judge.name == f"reference:{match}" and judge.settings()["judge"] == judge.name
    scores = judge.score(Prompt(QUESTION, {"reference": reference}), [*right, *wrong])
    assert scores == [1.0] * len(right) + [0.0] * len(wrong)


def test_mathematics_is_compared_as_such() -> None:
    pytest.importorskip("math_verify", reason="math-verify is not installed: pip install 'pairforge[math]'")
    judge = ReferenceJudge("math")
    asked = Prompt(QUESTION, {"reference": r"\frac{1}{2}"})
    assert judge.score(asked, ["It is 0.5.", "$\\frac{2}{4}$", "It is 2.", "no idea"]) == [1.0, 1.0, 0.0, 0.0]
    [none] = judge.score(Prompt(QUESTION, {"reference": "a kind of bird"}), ["1"])
    assert none == 0.0 or isinstance(none, Skip)


def test_an_unknown_match_is_refused() -> None:
    with pytest.raises(InputError, match="reference:exakt is unknown") as raised:
        ReferenceJudge("exakt")
    assert "exact" in str(raised.value.fix)


def test_toys() -> None:
    assert LengthJudge().score(Prompt(QUESTION), ["a", "bbb"]) == [1.0, 3.0]
    assert PatternJudge("(?i)sorry").score(Prompt(QUESTION), ["Sorry!", "Yes."]) == [1.0, 0.0]
    with pytest.raises(InputError, match="is not a regular expression"):
        PatternJudge("(")
    [slow] = PatternJudge("(a|aa)+$").score(Prompt(QUESTION), ["a" * 60 + "b"])
    assert isinstance(slow, Skip) or slow == 0.0
