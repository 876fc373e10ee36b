"""The guard around its checks: what is only logged, what is saved with a checkpoint, and what follows a stop."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace as Space
from typing import Any

import pytest
import torch

from pairforge.resources import resource
from trainers.guard import Alarm, CollapseGuard
from trainers.guard.interview import Interview, tokenized

ROWS = [{"prompt_ids": [5, 6], "chosen_ids": [7] * 100, "rejected_ids": [8] * 100}]
ARGS = Space(beta=0.1, device="cpu", output_dir="out")


def begun(rows: list[dict[str, Any]]) -> tuple[CollapseGuard, Any, Any]:
    """A guard of a model whose weights are elsewhere, at step 5 of 40; with the state and the control."""
    guard, state = CollapseGuard(), Space(global_step=0, max_steps=40, is_world_process_zero=True)
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.empty(0))
    guard.on_train_begin(ARGS, state, None, model=model, train_dataloader=Space(dataset=rows), processing_class=None)
    state.global_step = 5
    return guard, state, Space(should_training_stop=False, should_save=True)


@pytest.mark.parametrize(("lost", "alarm"), [(30.0, False), (60.0, True), (math.nan, True)])
def test_what_is_lost_counts_by_the_token_where_the_model_can_not_be_asked(lost: float, alarm: bool) -> None:
    guard, state, control = begun(ROWS)
    guard.on_log(ARGS, state, control, {"rewards/chosen": -0.1 * lost, "loss": 0.1})
    guard.on_step_end(ARGS, state, control, model=None)
    assert bool(guard.alarm) == control.should_training_stop == alarm
    assert control.should_save != alarm, "there is nothing to go on from"


def test_where_lengths_are_not_known_no_loss_is_an_alarm() -> None:
    guard, state, control = begun([{"images": [], "prompt": []}])
    guard.on_log(ARGS, state, control, {"rewards/chosen": -100.0, "loss": 0.1})
    guard.on_step_end(ARGS, state, control, model=None)
    assert guard.alarm is None


def test_images_are_not_read() -> None:
    class Pictures:
        column_names = ("images", "prompt", "chosen", "rejected")

    assert tokenized(Pictures()) == []


def test_a_stopped_training_ends_with_the_good_weights_whatever_was_loaded_at_its_end() -> None:
    guard, model, control = CollapseGuard(), torch.nn.Linear(2, 1), Space(should_save=True)
    guard._interview = Space()  # type: ignore[assignment]
    with torch.no_grad():
        for step, value in ((1, 1.0), (2, 2.0)):
            model.weight.fill_(value)
            guard._keep(step, model)
        guard._raise_alarm(3, "it only says Deep", model)
        assert guard.alarm == Alarm(3, "it only says Deep", restored=2)
        model.weight.fill_(9.0)
    guard.on_epoch_end(ARGS, None, control)
    assert not control.should_save
    guard.on_train_end(ARGS, None, None, model=model)
    assert model.weight.tolist() == [[2.0, 2.0]]


@pytest.fixture
def pocket() -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = resource("data/pocket")
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), AutoTokenizer.from_pretrained(path)


def test_what_stands_by_a_checkpoint_is_taken_where_it_fits(pocket: tuple[Any, Any], tmp_path: Path) -> None:
    model, tokenizer = pocket
    state = Space(global_step=4, is_world_process_zero=True)
    args = Space(output_dir=str(tmp_path))
    (tmp_path / "checkpoint-4").mkdir()
    file = tmp_path / "checkpoint-4" / "guard.json"

    def guard(questions: tuple[str, ...]) -> CollapseGuard:
        made = CollapseGuard(questions=questions)
        made._interview = Interview.of(ROWS, Space(tokenizer=tokenizer), model, 1, questions)
        made._first_process = True
        return made

    for questions in ((), ("What is 2 + 2?",)):
        first = guard(questions)
        first._entropy = 1.5
        first.on_save(args, state, None)
        again = guard(questions)
        assert again._resume(file)
        assert again._entropy == 1.5
    assert not guard(("What is 2 + 2?", "Who?"))._resume(file), "other questions"
    file.write_text(json.dumps(json.loads(file.read_text()))[:-20])
    assert not guard(questions)._resume(file), "cut off"
    assert not guard(questions)._resume(tmp_path / "none.json")
