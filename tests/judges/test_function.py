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

from pairforge.errors import InputError, OutsideError, TerminatedExit
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


def positional(prompt: str, completion: str) -> float:
    return 1.0


def fails(completions: Any, **_: Any) -> list[float]:
    raise ValueError("my reward broke")


async def fails_later(completions: Any, **_: Any) -> list[float]:
    await asyncio.sleep(0)
    raise KeyError("score")


@pytest.mark.parametrize(
    ("function", "kind", "says"),
    [
        (positional, InputError, r"can't be called by pairforge: missing a required argument: 'prompt' .*completions"),
        (lambda completions: [1, 2], InputError, "unexpected keyword argument 'wanted'"),
        (lambda **_: [1.0], InputError, "returned 1 score for 2 distinct answers"),
        (lambda **_: "ab", InputError, "returned a str for 2"),
        (lambda **_: {"a": 1, "b": 2}, InputError, "returned a dict for 2"),
        (lambda **_: ["7/10", "8/10"], InputError, "returned '7/10', which is not a number"),
        (fails, OutsideError, r"raised ValueError\('my reward broke'\) at .*test_function.py:\d+ on a trial call"),
        (fails_later, OutsideError, r"raised KeyError\('score'\) at .*test_function.py:\d+ on a trial call"),
    ],
)
def test_a_trial_call_says_what_is_wrong(function: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        FunctionJudge(function, "f").try_on(PROMPT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1, None, math.nan, numpy.float32(0.5), True])
def test_a_trial_call_takes_what_may_be_a_score(value: Any) -> None:
    FunctionJudge(lambda **_: [value, value], "f").try_on(PROMPT)
    FunctionJudge(lambda **_: numpy.zeros(2)).try_on(PROMPT)


def test_the_first_error_is_a_warning_and_twenty_end_the_run() -> None:
    judge = FunctionJudge(fails, "f")
    for _ in range(19):
        assert all(isinstance(one, Skip) for one in judge.score(PROMPT, ["a", "b"]))
    assert len(judge.warnings) == 1 and "my reward broke" in judge.warnings[0]
    with pytest.raises(OutsideError, match=r"in each of the first 20 calls .*answers are kept"):
        judge.score(PROMPT, ["a", "b"])


def test_a_judge_that_once_gave_a_score_is_not_given_up() -> None:
    calls = iter(range(100))

    def sometimes(completions: Any, **_: Any) -> list[float]:
        if next(calls):
            raise ValueError("now and then")
        return [1.0, 2.0]

    judge = FunctionJudge(sometimes, "f")
    scores = [judge.score(PROMPT, ["a", "b"]) for _ in range(60)]
    assert scores[0] == [1.0, 2.0] and all(isinstance(one, Skip) for one in scores[-1])


def test_without_a_name_it_is_called_by_its_own() -> None:
    settings = FunctionJudge(positional).settings()
    assert settings["judge"] == f"{__name__}:positional" and settings["given"] == "in Python"
    with pytest.raises(InputError, match="judge=5 is an int, not a function"):
        FunctionJudge(5)  # type: ignore[arg-type]


def test_the_end_of_the_command_is_no_failure_of_the_judge() -> None:
    def ended(**_: Any) -> Any:
        raise TerminatedExit(143)

    for call in (lambda judge: judge.score(PROMPT, ["a"]), lambda judge: judge.try_on(PROMPT)):
        with pytest.raises(TerminatedExit):
            call(FunctionJudge(ended, "f"))
