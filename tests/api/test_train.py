"""Training from Python: the flags are words of the same command, and another `trainers` is in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import read_jsonl

import pairforge

FEW = {"max_steps": 2, "max_samples": 8, "logging_steps": 1, "guard": "off"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return pairforge.correct("Qwen", "Deep Qwen", limit=8, quiet=True).run.path


@pytest.mark.slow
def test_a_run_is_trained_on_and_judged(folder: Path) -> None:
    made = pairforge.train(folder, verdict_questions=100, loss_type=["sigmoid", "sft"], loss_weights=[1, 0.5], **FEW)
    assert (made.output, made.outcome, made.ok) == (folder / "model", "FAIL", False)
    assert made.verdict.as_json()["rules"] == {"Qwen": "Deep Qwen"}
    assert repr(made) == f"<TrainingResult {folder / 'model'}: FAIL, 2 steps>"
    assert made.as_json()["steps"] == made.history.steps == 2


@pytest.mark.slow
def test_rows_are_trained_on_without_a_verdict(folder: Path) -> None:
    from datasets import Dataset

    rows = Dataset.from_list(read_jsonl(folder / "pairs.jsonl"))
    made = pairforge.train(rows, output="tuned", **FEW)
    assert (made.output, made.outcome, made.ok) == (Path("tuned"), "no verdict", True)
    assert Path("tuned/config.json").exists()


def test_what_is_wrong_is_raised(folder: Path) -> None:
    with pytest.raises(pairforge.InputError, match=r"there is no flag --bata \(did you mean '--beta'"):
        pairforge.train(folder, bata=0.3)
    with pytest.raises(pairforge.InputError, match="output_dir is given twice"):
        pairforge.train(folder, output="a", output_dir="b")
    with pytest.raises(pairforge.InputError, match="no run nothing"):
        pairforge.train("nothing")


def test_another_package_called_trainers_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "trainers").mkdir()
    (tmp_path / "trainers" / "__init__.py").write_text("theirs = True")
    code = """
import pairforge, trainers
from pairforge.api.train import trainer_module
print(trainers.theirs, trainer_module("dpo").__name__)
try:
    pairforge.train(bata=1)
except pairforge.InputError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "True pairforge_trainers.dpo"
    assert "there is no flag --bata" in done.stdout
