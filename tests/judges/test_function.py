"""A user's reward function: what it gives is a score, and nothing else becomes one."""

import asyncio
import functools
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from support import prompt

from pairforge.errors import InputError
from pairforge.judges.function import FunctionJudge
from pairforge.plugins import load
from pairforge.types import Skip

PROMPT = prompt("Hi", wanted=2)


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
    assert all(isinstance(s, Skip) and "SystemExit" in s.detail for s in score(lambda **_: exit()))


@pytest.mark.parametrize(
    "value",
    [
        10**400,
        pytest.param(10**5000, id="huge"),
        torch.ones(2),
        numpy.ones(2),
        "7/10",
        [1.0],
        math.inf,
        torch.tensor(math.nan),
    ],
)
def test_no_number_is_unjudged(value: Any) -> None:
    first, second = score(lambda **_: [value, 3])
    assert isinstance(first, Skip) and first.reason == "unjudged" and "\n" not in first.detail
    assert second == 3.0


def test_none_is_not_applicable() -> None:
    first, second = score(lambda **_: [None, 1])
    assert isinstance(first, Skip) and first.reason == "not_applicable"
    assert second == 1.0


@pytest.mark.parametrize(
    "scores",
    [
        numpy.array([0.5, 1.0], dtype="float32"),
        torch.tensor([0.5, 1.0], requires_grad=True),
        [numpy.float64(0.5), torch.tensor([1.0])],
        (numpy.array([0.5]), True),
    ],
)
def test_scalars_of_numpy_and_torch_are_scores(scores: Any) -> None:
    assert score(lambda **_: scores) == [0.5, 1.0]


def test_an_async_function_is_awaited_always_on_one_loop() -> None:
    loops = set()

    async def reward(completions: Any, **_: Any) -> list[float]:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return [float(len(made[0]["content"])) for made in completions]

    async def broken(**_: Any) -> list[float]:
        raise SystemExit(2)

    async def in_a_notebook() -> list[Any]:
        return score(reward)

    assert score(reward) == [1.0, 2.0]
    assert all(isinstance(s, Skip) and "exit 2" in s.detail for s in score(broken))
    assert asyncio.run(in_a_notebook()) == [1.0, 2.0] and len(loops) == 1


def test_a_wrong_number_of_scores_ends_the_run() -> None:
    with pytest.raises(InputError, match="1 score for 2 distinct answers"):
        score(lambda **_: [1.0])
    for single in (torch.tensor(1.0), 1.0, None):
        returned = "None" if single is None else f"a {type(single).__name__}"
        with pytest.raises(InputError, match=f"{returned} for 2 distinct answers"):
            score(lambda single=single, **_: single)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(InputError, match=r"the judge polite\.py:WEIGHT is a float"):
        FunctionJudge(0.5, "polite.py:WEIGHT")  # type: ignore[arg-type]


class Longer:
    """A callable object."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, completions: Any, **_: Any) -> list[float]:
        return [self.weight * len(made[0]["content"]) for made in completions]


def test_a_callable_object_scores_under_a_stable_key() -> None:
    assert score(Longer(0.5)) == [0.5, 1.0]
    assert FunctionJudge(Longer(0.5), "f").settings() == FunctionJudge(Longer(0.5), "f").settings()


def test_without_a_source_the_qualified_name_is_the_key() -> None:
    keys = [FunctionJudge(function, "f").settings()["source"] for function in (math.fsum, math.dist, math.fsum)]
    assert keys[0] == keys[2] != keys[1]
    assert FunctionJudge(functools.partial(math.fsum), "f").settings()["source"] == keys[0]


@pytest.mark.parametrize(
    "plug",
    [
        "def f(**_): return [LIMIT]",
        "class Rule:\n    def __call__(self, **_): return [LIMIT]\nf = Rule()",
        "import functools\nf = functools.partial(print, LIMIT)",
        "import trl_like\nf = trl_like.made(LIMIT)",
    ],
)
def test_an_edited_constant_scores_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plug: str) -> None:
    (tmp_path / "trl_like.py").write_text("def made(limit):\n    return lambda **_: [limit]")
    monkeypatch.syspath_prepend(tmp_path)

    def key(limit: int) -> dict[str, Any]:
        file = tmp_path / "polite.py"
        file.write_text(f"LIMIT = {limit}\n{plug}\n")
        return FunctionJudge(load(f"{file}:f"), f"{file}:f").settings()

    assert key(1) == key(1) != key(20)
