"""The recipes: what a kind of pair, an adapter, a model and a length change."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pairforge.resources import resource
from trainers.data import count_parameters
from trainers.recipes import CORRECTION, PREFERENCE, recipe


def rate(method: str = "correct", **of: Any) -> float:
    return float(recipe(method, **of)["learning_rate"])


def test_a_recipe_goes_by_the_kind_of_pair() -> None:
    for taught in ("correct", "revise", "persona", "reference"):
        assert recipe(taught)["loss_type"] == ["sigmoid", "sft"]
    for compared in ("best_worst", "delta", "somebody's own"):
        assert recipe(compared)["loss_type"] == ["sigmoid"]
    assert recipe({"best_worst", "persona"}) == recipe("persona")


def test_the_rate_is_that_of_both_measured_models() -> None:
    assert rate() == rate(parameters=0) == CORRECTION["learning_rate"] == 3e-5
    assert rate(steps=38) == pytest.approx(1.2e-4, rel=0.05)
    assert rate(parameters=135_000_000, steps=13) == pytest.approx(5e-5, rel=0.1)
    assert rate("best_worst") == PREFERENCE["learning_rate"]
    assert rate("best_worst", parameters=7_000_000_000) == pytest.approx(2e-6, rel=0.05)


def test_the_rate_falls_with_size_and_length_without_a_jump() -> None:
    for method in ("correct", "best_worst"):
        sizes = [rate(method, parameters=int(10 ** (6 + step / 20))) for step in range(100)]
        assert all(0.8 * one < other <= one for one, other in pairwise(sizes))
    lengths = [rate(steps=steps) for steps in range(1, 2000)]
    assert all(0.9 * one < other <= one for one, other in pairwise(lengths))
    assert rate(steps=1) == rate(steps=13) == pytest.approx(11.5 * rate(), rel=0.02) and rate(steps=10**6) == rate()
    assert rate(lora=True) == pytest.approx(10 * rate())


def test_pairs_beside_corrections_do_not_lower_the_rate() -> None:
    assert rate(steps=120, share=0.5) > rate(steps=120, share=0.9) > rate(steps=120)
    assert rate(parameters=135_000_000, steps=132, share=602 / 1054) == pytest.approx(3.6e-5, rel=0.05)
    assert 5.8e-5 < rate(share=10 / 13) < 7.9e-5
    assert rate(steps=30, share=0.1) == rate(steps=13)
    assert rate("delta", steps=100, share=0.5) == rate("delta")


def test_the_size_of_a_model_is_read_from_its_configuration(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    pocket = str(resource("data/pocket"))
    whole = AutoModelForCausalLM.from_pretrained(pocket).num_parameters()
    assert count_parameters("pocket", None) == count_parameters(pocket, None) == pytest.approx(whole, rel=0.01)
    assert count_parameters(str(tmp_path), None) == 0
    assert count_parameters("nobody/nothing", None) == 0
