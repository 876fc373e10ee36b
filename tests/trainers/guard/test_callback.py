"""The guard in real trainings of the pocket model: it stops the one that destroys it, and lets the good one be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import pairforge
from pairforge.resources import resource
from trainers.data import trl_dataset
from trainers.guard import CollapseGuard, Limits
from trainers.recipes import hardware, recipe

pytestmark = [
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),  # TRL sets it by default
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # TRL reads it
]
ROUGH = {"loss_type": ["sigmoid"], "beta": 0.2, "learning_rate": 5e-4, "warmup_steps": 0, "logging_steps": 5}
"""The common recipe at a rate ten times too high."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = str(tmp_path_factory.mktemp("pairs"))
    return list(pairforge.correct("Qwen", "Deep Qwen", limit=80, output=folder, quiet=True).rows())


def trainer(rows: list[Any], folder: Path, guard: CollapseGuard | None = None, **flags: Any) -> Any:
    import trl
    from transformers import AutoTokenizer

    pocket = str(resource("data/pocket"))
    config = trl.DPOConfig(
        output_dir=str(folder),
        **{**recipe("correct"), **hardware(), "model_init_kwargs": {"dtype": "float32"}, **flags},
    )
    made = trl.DPOTrainer(
        model=pocket,
        args=config,
        train_dataset=trl_dataset(rows),
        processing_class=AutoTokenizer.from_pretrained(pocket),
    )
    if guard:
        made.add_callback(guard)
    return made


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_collapse_is_stopped_and_the_last_good_weights_are_back(
    rows: list[Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    guard = CollapseGuard()
    made = trainer(rows, tmp_path / "guarded", guard, **ROUGH)
    made.train()
    assert guard.alarm is not None
    assert made.state.global_step == guard.alarm.step < made.state.max_steps
    assert "Deep Deep" in guard.alarm.message
    assert "guard: alarm at step" in capfd.readouterr().err
    assert [record.step for record in guard.records][:3] == [0, 5, 10]
    assert guard.records[0].broken == 0 == guard.records[0].moved
    assert guard.alarm.restored is not None
    plain = trainer(rows, tmp_path / "plain", **ROUGH)
    kept: dict[int, dict[str, torch.Tensor]] = {0: weights(plain.model)}
    plain.add_callback(_keeper(kept))
    plain.args.max_steps = guard.alarm.step
    plain.train()
    assert same(weights(made.model), kept[guard.alarm.restored])
    assert not same(kept[guard.alarm.step], kept[guard.alarm.restored])


def _keeper(kept: dict[int, dict[str, torch.Tensor]]) -> Any:
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            kept[state.global_step] = weights(given["model"])

    return Keeper()


def test_a_warning_changes_nothing(rows: list[Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    guard = CollapseGuard("warn")
    made = trainer(rows, tmp_path / "guarded", guard, max_steps=16, **ROUGH)
    made.train()
    assert guard.alarm is not None
    assert guard.alarm.restored is None
    assert "stopped" not in capfd.readouterr().err
    plain = trainer(rows, tmp_path / "plain", max_steps=16, **ROUGH)
    plain.train()
    assert made.state.global_step == plain.state.global_step == 16
    assert same(weights(made.model), weights(plain.model)), "asking leaves no trace in the training"


def test_the_default_recipe_is_let_be_and_gone_on_with(rows: list[Any], tmp_path: Path) -> None:
    guard = CollapseGuard(every=4)
    flags = {"max_steps": 8, "save_strategy": "steps", "save_steps": 4}
    trainer(rows, tmp_path, guard, **flags).train()
    assert guard.alarm is None
    assert [record.step for record in guard.records] == [0, 4, 8]
    beside = json.loads((tmp_path / "checkpoint-4" / "guard.json").read_text())
    assert [record["step"] for record in beside["records"]] == [0, 4]
    again = CollapseGuard(every=4)
    trainer(rows, tmp_path, again, **flags).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert [record.step for record in again.records] == [0, 4, 8]
    assert again.records[-1].drift == pytest.approx(guard.records[-1].drift, abs=1e-5)
    assert again.records[-1].moved == guard.records[-1].moved


def test_a_checkpoint_without_a_guard_is_said(
    rows: list[Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = {"max_steps": 3, "save_strategy": "steps", "save_steps": 2}
    trainer(rows, tmp_path, **flags).train()
    guard = CollapseGuard(every=1)
    trainer(rows, tmp_path, guard, **flags).train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert [record.step for record in guard.records] == [2, 3]
    assert "the checkpoint has no answers from before training" in capfd.readouterr().err


def test_weights_that_are_no_numbers_any_more_are_an_alarm(rows: list[Any], tmp_path: Path) -> None:
    guard = CollapseGuard(every=2)
    made = trainer(rows, tmp_path, guard, **{**ROUGH, "learning_rate": 1e6, "max_steps": 8, "logging_steps": 1})
    made.train()
    assert guard.alarm is not None
    assert all(torch.isfinite(weight).all() for weight in weights(made.model).values())


def test_limits_are_the_callers(rows: list[Any], tmp_path: Path) -> None:
    guard = CollapseGuard(every=1, limits=Limits(drift=1e-12), prompts=2, questions=["What is 2 + 2?"])
    trainer(rows, tmp_path, guard, max_steps=4, learning_rate=1e-4).train()
    assert guard.alarm is not None
    assert "KL divergence from the initial model" in guard.alarm.message


def test_another_action_is_refused() -> None:
    with pytest.raises(pairforge.InputError, match="no action"):
        CollapseGuard("shout")  # type: ignore[arg-type]
