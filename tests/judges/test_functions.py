"""A user's reward function: what it gives is a score, and nothing else becomes one."""

from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.judges.functions import FunctionJudge
from pairforge.types import Message, Prompt, Skip

PROMPT = Prompt((Message(role="user", content="Hi"),), {"wanted": 2})


def score(function: Any) -> list[Any]:
    return list(FunctionJudge(function, "f").score(PROMPT, ["a", "bb"]))


def test_it_is_called_as_trl_calls_a_reward_function(capsys: pytest.CaptureFixture[str]) -> None:
    def reward(prompts: Any, completions: Any, wanted: Any, **rest: Any) -> list[float]:
        print("noise")
        assert prompts == [list(PROMPT.messages)] * 2
        return [float(len(made[0]["content"]) == want) for made, want in zip(completions, wanted, strict=True)]

    assert score(reward) == [0.0, 1.0]
    assert capsys.readouterr().out == ""


def test_what_is_no_score_is_a_skip() -> None:
    assert [isinstance(s, Skip) for s in score(lambda **_: [None, float("nan")])] == [True, True]
    assert [isinstance(s, Skip) for s in score(lambda **_: ["7/10", 3])] == [True, False]

    def broken(**_: Any) -> list[float]:
        raise RuntimeError("boom")

    assert all(isinstance(s, Skip) and "boom" in s.detail for s in score(broken))


def test_a_wrong_number_of_scores_ends_the_run() -> None:
    with pytest.raises(InputError, match="2 answers"):
        score(lambda **_: [1.0])
