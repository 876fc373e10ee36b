"""Checkpoints: a half-written one is skipped, and a killed training ends with the weights of one left alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as Space

import pytest

import pairforge
from trainers import dpo
from trainers.checkpoints import STAMP, incomplete, resumed, save, to_resume

TWELVE = ["--max_steps", "12", "--logging_steps", "4", "--verdict_questions", "0", "--save_steps", "4"]


KILLED = """
import os, signal, sys, transformers

save = transformers.Trainer._save_optimizer_and_scheduler

def dies(self, folder):
    save(self, folder)
    if folder.endswith("checkpoint-8"):
        os.truncate(os.path.join(folder, "optimizer.pt"), 1000)
        os.kill(os.getpid(), signal.SIGKILL)

transformers.Trainer._save_optimizer_and_scheduler = dies
from trainers.dpo import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """One as transformers leaves it, without a stamp: of somebody's own script."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "checkpoint-8"
    folder.mkdir()
    save_file({"weight": torch.zeros(8)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.zeros(64)}, folder / name)
    (folder / "trainer_state.json").write_text('{"global_step": 8}')
    return folder


def shard(folder: Path) -> None:
    """Moves the weights into a shard, as an index says."""
    os.rename(folder / "model.safetensors", folder / "model-00001-of-00002.safetensors")
    names = {"weight": "model-00001-of-00002.safetensors", "other": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def lose(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        *[(lose(name), f"{name} missing") for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth")],
        (lose("model.safetensors"), "the weights missing"),
        (lose("trainer_state.json"), "trainer_state.json is missing or truncated"),
        (cut("trainer_state.json"), "trainer_state.json is missing or truncated"),
        *[(cut(name), f"{name} is truncated") for name in ("model.safetensors", "optimizer.pt", "rng_state.pth")],
        (shard, "model-00002-of-00002.safetensors missing"),
        (lambda folder: (folder / STAMP).write_text('{"processes": 2}'), "rng_state_0.pth missing"),
        (shutil.rmtree, "no such folder"),
    ],
)
def test_what_a_kill_leaves_is_seen(checkpoint: Path, harm: Callable[[Path], None], why: str) -> None:
    assert incomplete(checkpoint) is None
    harm(checkpoint)
    assert incomplete(checkpoint) == why


def test_the_last_whole_one_of_this_training_is_gone_on_from(
    checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoint.parent
    shutil.copytree(checkpoint, folder / "checkpoint-16")
    os.truncate(folder / "checkpoint-16" / "model.safetensors", 20)
    shutil.copytree(checkpoint, folder / "checkpoint-100")
    (folder / "checkpoint-100" / STAMP).write_text('{"training": "another"}')
    assert to_resume("auto", folder, "this") == to_resume("true", folder, "this") == checkpoint
    [passed] = {line for line in capfd.readouterr().err.splitlines() if line.startswith("skipped")}
    assert "checkpoint-100 (of a training with other pairs or flags)" in passed
    assert "checkpoint-16 (model.safetensors is truncated)" in passed
    assert to_resume("auto", folder / "nothing", "this") is None
    assert to_resume(None, folder, "this") is to_resume("false", folder, "this") is None
    assert to_resume(str(folder / "checkpoint-100"), folder, "this") == folder / "checkpoint-100"
    with pytest.raises(pairforge.InputError, match="truncated"):
        to_resume(str(folder / "checkpoint-16"), folder, "this")


@pytest.mark.slow
@pytest.mark.parametrize("guard", ["off", "stop"])
def test_a_killed_training_ends_with_the_weights_of_one_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], guard: str
) -> None:
    from safetensors.torch import load_file

    monkeypatch.chdir(tmp_path)
    run = pairforge.correct("Qwen", "Deep Qwen", limit=12, quiet=True).run.path
    flags = [*TWELVE, "--dataset", str(run), "--guard", guard, "--output_dir"]
    assert dpo.main([*flags, "alone"]) == 0
    killed = subprocess.run([sys.executable, "-c", KILLED, *flags, "killed"], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not Path("killed/config.json").exists()
    capfd.readouterr()
    assert dpo.main([*flags, "killed", "--resume_from_checkpoint", "auto"]) == 0
    said = capfd.readouterr().err
    assert "skipped: checkpoint-8 (" in said
    assert f"resuming from killed{os.sep}checkpoint-4" in said
    assert "8 steps, 8 pairs each" in said
    assert incomplete(Path("killed/checkpoint-8")) is None, "it was written again"
    one, other = (load_file(f"{name}/model.safetensors") for name in ("alone", "killed"))
    assert max(float((one[name] - other[name]).abs().max()) for name in one) <= 1e-6


def test_what_a_killed_save_left_is_no_part_of_the_next(tmp_path: Path) -> None:
    class Trainer:
        model = Space(config=Space(use_cache=False))

        def save_model(self, folder: str) -> None:
            Path(folder).mkdir(exist_ok=True)
            (Path(folder) / "config.json").write_text("{}")

        def is_world_process_zero(self) -> bool:
            return True

    (tmp_path / ".saving").mkdir()
    (tmp_path / ".saving" / "adapter_config.json").write_text("{}")
    save(Trainer(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_what_to_resume_means_the_same_everywhere() -> None:
    assert {resumed(word) for word in ("auto", "true", "True", "yes", "1")} == {"latest"}
    assert {resumed(word) for word in (None, "", "no", "none", "False", "0")} == {None}
    assert resumed("out/checkpoint-4") == Path("out/checkpoint-4")
