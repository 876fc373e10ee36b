"""What a training leaves: a guard that stopped it, an adapter that can be asked, a folder that is pushed once."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from transformers import TrainerCallback

import pairforge
from pairforge.resources import resource
from trainers import dpo
from trainers.data import TrainingJob
from trainers.outcome import History, replaced, say_what_was_written

FEW = ["--max_steps", "4", "--max_samples", "16", "--logging_steps", "1", "--verdict_questions", "0"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small correction run in it; the folder of the run."""
    monkeypatch.chdir(tmp_path)
    return pairforge.correct("Qwen", "Deep Qwen", limit=8, quiet=True).run.path


class Alarm:
    step, message = 2, "it only says Deep"


class Guard(TrainerCallback):  # type: ignore[misc]
    """Stops at the second step, and brings back the weights of the beginning."""

    def __init__(self) -> None:
        self.alarm: Any = None
        self.records: list[dict[str, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.good = {name: weight.clone() for name, weight in given["model"].state_dict().items()}

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.records.append({"step": state.global_step, "broken": 0.1 * state.global_step})
        if state.global_step == Alarm.step:
            given["model"].load_state_dict(self.good)
            self.alarm = Alarm()
            control.should_training_stop = True


@pytest.mark.slow
@pytest.mark.parametrize(("action", "code"), [("stop", 1), ("warn", 0)])
def test_a_training_that_the_guard_stopped_ends_with_1_and_what_it_restored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], action: str, code: int
) -> None:
    from safetensors.torch import load_file

    asked = []
    monkeypatch.setattr(dpo, "_guard", lambda action, pairs: asked.append(action) or Guard())
    assert dpo.main([*FEW, "--guard", action]) == code
    assert asked == [action]
    history = json.loads((folder / "model" / "history.json").read_text("utf-8"))
    assert (history["steps"], history["guard"]["alarm"]["step"], len(history["guard"]["records"])) == (2, 2, 2)
    said = capfd.readouterr().err
    assert said.count("the guard stopped the training at step 2 of 4") == code
    again = "next: pairforge train dpo --logging_steps 1 --verdict_questions 0 --guard stop --learning_rate 0.0001"
    assert (said.splitlines()[-1] == again) == bool(code)
    assert ("it only says Deep" in (folder / "model" / "README.md").read_text("utf-8")) == bool(code)
    saved, start = (load_file(path / "model.safetensors") for path in (folder / "model", resource("data", "pocket")))
    assert all(bool((saved[name] == start[name].float()).all()) for name in saved)


@pytest.mark.slow
def test_an_adapter_can_be_asked_and_judged_and_a_model_may_take_its_place(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ["--guard", "off", "--use_peft", "--lora_r", "4", "--verdict_questions", "2"]
    assert dpo.main([*FEW, *flags]) == 0
    out, err = capfd.readouterr()
    assert "no verdict: too few questions" in out
    assert "parameters: 61,440 trained of 2,768,064" in err
    model = folder / "model"
    assert (model / "adapter_model.safetensors").exists()
    assert not [*model.glob("model*.safetensors"), *model.glob("config.json")]
    assert "library_name: peft" in (model / "README.md").read_text("utf-8")
    assert pairforge.ask(["Who are you?"], model=[str(model)], quiet=True).as_json()
    replaced = ["--output_dir", str(model), "--guard", "off"]
    assert dpo.main([*FEW, *replaced]) == 2, "a model is not replaced unasked"
    assert (model / "adapter_model.safetensors").exists()
    assert dpo.main([*FEW, *replaced, "--overwrite"]) == 0
    assert (model / "config.json").exists()
    assert not [*model.glob("adapter*"), *model.glob("verdict.json"), *model.glob(".*")]
    assert "library_name: transformers" in (model / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "flags", "left"),
    [
        (["--learning_rate", "5e-4", "--beta", "1"], {"learning_rate": ""}, ["--beta", "1"]),
        (["--learning-rate=5e-4", "--beta=1"], {"learning_rate": ""}, ["--beta=1"]),
        (["--loss_type", "sigmoid", "ipo", "--bf16"], {"loss_type": "", "loss_weights": ""}, ["--bf16"]),
        (["--num_train_epochs", "1"], {"num_train_epochs": "2"}, ["--num_train_epochs", "2"]),
        (["--hub_token", "hf_x", "--beta", "1"], {}, ["--beta", "1"]),
        ([], {"learning_rate": "1e-05"}, ["--learning_rate", "1e-05"]),
    ],
)
def test_the_next_command_has_the_other_flags_as_they_were(given: list[str], flags: Any, left: list[str]) -> None:
    assert replaced(given, flags) == left


def test_a_push_is_told_where_to(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert dpo.main([*FEW, "--guard", "off", "--push_to_hub"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == "  -> --hub_model_id OWNER/NAME"


@pytest.mark.slow
def test_a_verdict_that_comes_to_nothing_leaves_a_card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise pairforge.OutsideError("the disk is full")

    monkeypatch.setattr("trainers.outcome._ask_and_evaluate", fails)
    monkeypatch.setattr("trainers.dpo.show_before", lambda *_: 0.0)
    assert dpo.main([*FEW, "--guard", "off", "--verdict_questions", "2"]) == 4
    assert "sigmoid" in (folder / "model" / "README.md").read_text("utf-8")


def test_a_token_that_may_not_write_is_known_before_training(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert dpo.main([*FEW, "--guard", "off", "--push_to_hub", "--hub_model_id", "me/tuned"]) == 4
    said = capfd.readouterr().err
    assert said.splitlines()[-2].startswith("pairforge: can't push to me/tuned")
    assert "parameters:" not in said


@dataclass
class ScriptedAlarm:
    step: int
    message: str


@dataclass
class ScriptedGuard:
    alarm: ScriptedAlarm | None = None
    records: list[dict[str, float]] = field(default_factory=list)


def test_it_is_plain_json_without_what_is_no_number(tmp_path: Path) -> None:
    guard = ScriptedGuard(ScriptedAlarm(7, "half a name"), [{"step": 5, "leak": math.nan}])
    made = History([{"step": 1, "loss": math.inf, "odd": np.float64(1)}], 9, False, "stop", guard)
    history = json.loads(made.text(), parse_constant=lambda name: 1 / 0)
    assert history["log"] == [{"step": 1, "loss": None, "odd": 1.0}]
    assert history["guard"]["alarm"] == {"step": 7, "message": "half a name", "restored": None}
    assert history["guard"]["records"] == [{"step": 5, "leak": None}]
    (tmp_path / "history.json").write_text(made.text(), "utf-8")
    loaded = History.load(tmp_path, beta=0.1)
    assert (loaded.stopped, loaded.text()) == ("half a name", made.text())
    assert loaded.draw(tmp_path, "run: pocket: FAIL")
    assert "run: pocket: FAIL, stopped by the guard at step 7" in (tmp_path / "training.svg").read_text("utf-8")


def test_without_matplotlib_there_are_no_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not History([{"step": 1, "loss": 1.0}], 9, False, "stop").draw(tmp_path, "run")
    assert not [*tmp_path.iterdir()]
    (line,) = capfd.readouterr().err.splitlines()
    assert "no learning curves" in line and 'pip install "pairforge[plot]"' in line


def test_a_guard_that_only_warns_stops_nothing() -> None:
    guard = ScriptedGuard(ScriptedAlarm(7, "half a name"))
    assert History([], 9, False, "stop", guard).stopped == "half a name"
    assert History([], 9, False, "warn", guard).stopped == ""
    assert History([], 9, False, "off").stopped == ""


def test_the_next_commands_compare_with_the_revision_that_was_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result: Any = SimpleNamespace(output=Path("tuned"), history=SimpleNamespace(stopped=False), ok=True)
    for revision, words in (("v2", "me/tiny --revision v2"), ("main", "me/tiny")):
        say_what_was_written(TrainingJob([], [], tmp_path, "me/tiny", "", revision), result, [])
        said = capfd.readouterr().err
        assert f"next: pairforge ask -m {words} -m tuned · pairforge evaluate -m tuned --base {words} --run " in said
