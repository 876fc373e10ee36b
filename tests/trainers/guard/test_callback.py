"""The guard in real trainings of the pocket model, which it stops or lets be, and around its checks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace as Space
from typing import Any

import pytest
import torch
from support import pocket as pocket_tokenizer
from support import pocket_model

import pairforge
from pairforge.resources import resource
from trainers.data import trl_dataset
from trainers.guard import Alarm, CollapseGuard, Limits
from trainers.guard.probe_set import ProbeSet, tokenized
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_checkpoint_without_a_guard_is_said(
    rows: list[Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = {"max_steps": 3, "save_strategy": "steps", "save_steps": 2}
    trainer(rows, tmp_path, **flags).train()
    guard = CollapseGuard(every=1)
    trainer(rows, tmp_path, guard, **flags).train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert [record.step for record in guard.records] == [2, 3]
    assert "the checkpoint has no answers from before training" in capfd.readouterr().err


@pytest.mark.slow
def test_weights_that_are_no_numbers_any_more_are_an_alarm(rows: list[Any], tmp_path: Path) -> None:
    guard = CollapseGuard(every=2)
    made = trainer(rows, tmp_path, guard, **{**ROUGH, "learning_rate": 1e6, "max_steps": 8, "logging_steps": 1})
    made.train()
    assert guard.alarm is not None
    assert all(torch.isfinite(weight).all() for weight in weights(made.model).values())


@pytest.mark.slow
def test_limits_are_the_callers(rows: list[Any], tmp_path: Path) -> None:
    guard = CollapseGuard(every=1, limits=Limits(drift=1e-12), prompts=2, questions=["What is 2 + 2?"])
    trainer(rows, tmp_path, guard, max_steps=4, learning_rate=1e-4).train()
    assert guard.alarm is not None
    assert "KL divergence from the initial model" in guard.alarm.message


def test_another_action_is_refused() -> None:
    with pytest.raises(pairforge.InputError, match="no action"):
        CollapseGuard("shout")  # type: ignore[arg-type]


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
    guard._probes = Space()  # type: ignore[assignment]
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
    return pocket_model(), pocket_tokenizer()


@pytest.mark.slow
def test_what_stands_by_a_checkpoint_is_taken_where_it_fits(pocket: tuple[Any, Any], tmp_path: Path) -> None:
    model, tokenizer = pocket
    state = Space(global_step=4, is_world_process_zero=True)
    args = Space(output_dir=str(tmp_path))
    (tmp_path / "checkpoint-4").mkdir()
    file = tmp_path / "checkpoint-4" / "guard.json"

    def guard(questions: tuple[str, ...]) -> CollapseGuard:
        made = CollapseGuard(questions=questions)
        made._probes = ProbeSet(ROWS, Space(tokenizer=tokenizer), model, 1, questions)
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
