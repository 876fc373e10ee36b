"""A function given in Python has another key whenever what it does is another thing, and else the same."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pairforge.judges.code_digest import CodeDescriber
from pairforge.types import digest

LIMIT = 3


def key(function: Any) -> str:
    return digest(CodeDescriber(function).describe())


def weighted(weight: float) -> Callable[..., list[float]]:
    return lambda completions, **_: [weight * len(made) for made in completions]


class Weighted:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, completions: Any, **_: Any) -> list[float]:
        return [self.weight for _ in completions]

    def method(self, completions: Any, **_: Any) -> list[float]:
        return [self.weight for _ in completions]


def by_limit(completions: Any, **_: Any) -> list[float]:
    return [float(len(made) < LIMIT) for made in completions]


def by_helper(completions: Any, **_: Any) -> list[float]:
    return by_limit(completions)


def test_two_lambdas_on_one_line_differ() -> None:
    first, second = (lambda completions, **_: [1.0], lambda completions, **_: [2.0])
    assert key(first) != key(second)


@pytest.mark.parametrize(
    "made",
    [
        weighted,
        Weighted,
        lambda weight: Weighted(weight).method,
        lambda weight: functools.partial(by_limit, weight),
        lambda weight: functools.partial(by_limit, some=[weight, {"deep": weight}]),
    ],
)
def test_what_a_function_holds_is_part_of_its_key(made: Any) -> None:
    assert key(made(1.0)) == key(made(1.0)) != key(made(2.0))


@pytest.mark.parametrize("judge", [by_limit, by_helper])
def test_a_global_that_it_reads_is_part_of_its_key(monkeypatch: pytest.MonkeyPatch, judge: Any) -> None:
    before = key(judge)
    monkeypatch.setattr(sys.modules[__name__], "LIMIT", 4)
    assert key(judge) != before
    monkeypatch.setattr(sys.modules[__name__], "LIMIT", 3)
    assert key(judge) == before


def test_the_key_is_that_of_another_process() -> None:
    code = (
        "from pairforge.judges.code_digest import CodeDescriber as C\nfrom pairforge.types import digest\n"
        "K = {1, 2, 'a'}\nclass Model: pass\nmodel = Model()\nmodel.sets = {'x', 'y', 'z'}\nmodel.me = model\n"
        "def judge(completions, limit=3, **_):\n    import math\n    return [len(K), model, math.pi, judge]\n"
        "print(digest(C(judge).describe()))"
    )
    keys = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(keys) == 1
