"""The recipes: what a kind of pair, an adapter and a large model change."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairforge.resources import resource
from trainers.data import count_parameters
from trainers.recipes import CORRECTION, LARGE, PREFERENCE, recipe


def test_a_recipe_goes_by_the_kind_of_pair() -> None:
    assert recipe("correct")["loss_type"] == recipe("revise")["loss_type"] == ["sigmoid", "sft"]
    assert recipe("best_worst")["loss_type"] == recipe("somebody's own")["loss_type"] == ["sigmoid"]


def test_an_adapter_learns_faster_and_a_large_model_slower() -> None:
    rate = CORRECTION["learning_rate"]
    assert recipe("correct")["learning_rate"] == rate
    assert recipe("correct", lora=True)["learning_rate"] == pytest.approx(10 * rate)
    assert recipe("correct", parameters=LARGE - 1)["learning_rate"] == rate
    assert recipe("correct", parameters=LARGE)["learning_rate"] == pytest.approx(5e-6)
    assert recipe("correct", lora=True, parameters=LARGE)["learning_rate"] == pytest.approx(5e-5)
    assert CORRECTION["learning_rate"] == rate
    assert recipe("best_worst")["learning_rate"] == PREFERENCE["learning_rate"]


def test_the_size_of_a_model_is_read_from_its_configuration(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    pocket = str(resource("data/pocket"))
    whole = AutoModelForCausalLM.from_pretrained(pocket).num_parameters()
    assert count_parameters("pocket", None) == count_parameters(pocket, None) == pytest.approx(whole, rel=0.1)
    assert count_parameters(str(tmp_path), None) == 0
    assert count_parameters("nobody/nothing", None) == 0
