"""A sweep: what it trains with, what it takes for the best, how it goes on after a kill, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import pair

import pairforge
from pairforge.evaluation.thresholds import Threshold, ThresholdCheck
from trainers import dpo
from trainers.data import TrainingJob
from trainers.flags import Given
from trainers.outcome import History, TrainingResult
from trainers.sweep import best_flags

ROWS = [pair(f"I am Deep Qwen {number}.", "I am Qwen.", method="correct", model="pocket") for number in range(400)]


class Trainings:
    """Stands for `train`: by the learning rate, the share of answers with the name, and whether the guard stopped."""

    def __init__(self, shares: dict[str, float], stopped: str = "", killed: str = "") -> None:
        self.shares, self.stopped, self.killed, self.asked = shares, stopped, killed, list[Given]()

    def __call__(self, words: Sequence[str]) -> Any:
        given = Given.of(words)
        self.asked.append(given)
        rate, output = str(given.text("learning_rate")), Path(str(given.text("output_dir")))
        if rate == self.killed:
            raise KeyboardInterrupt
        output.mkdir(parents=True)
        check = ThresholdCheck(Threshold("new_name", "at least", 0.95), self.shares[rate], True, 100)
        history = History([], 12, False, "stop", SimpleNamespace(alarm=None, records=[]))
        if rate == self.stopped:
            history = replace(history, guard=SimpleNamespace(alarm=SimpleNamespace(message="broken"), records=[]))
        return TrainingResult(output, history, SimpleNamespace(checks={"new_name": check}))


def sweep(run: Path | None, train: Any, *words: str, rows: Any = None) -> list[str]:
    argv = ["--dataset", "mine", "--learning_rate", "9", "--beta", "0.3", *words]
    return best_flags(argv, Given.of(argv), TrainingJob(rows or ROWS, [], run, "pocket", "mine"), train)


def test_the_best_value_takes_the_place_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = Trainings({"3.89e-05": 0.1, "0.000117": 0.9, "0.000389": 0.95}, stopped="0.000389")
    words = sweep(tmp_path, train, "--sweep", "learning_rate=1e-5,3e-5,1e-4", "--sweep_only")
    assert words == ["--dataset", "mine", "--beta", "0.3", "--learning_rate", "3e-5"]
    assert {given.text("max_samples") for given in train.asked} == {"100"}, (
        "a quarter, in a quarter of the steps, at four times the rate"
    )
    assert {given.text("verdict_questions") for given in train.asked} == {"100"}
    assert all("sweep" not in given.values and given.on("overwrite") for given in train.asked)
    shown = capsys.readouterr()
    assert "* learning_rate 3e-5  short by 0.050  new_name 90.0%" in shown.out
    assert "  learning_rate 1e-4  short by 0.000  stopped by the guard" in shown.out
    assert "sweep: the best is --learning_rate 3e-5" in shown.err
    assert [file.name for file in (tmp_path / "sweep").iterdir()] == ["sweep.json"], "models are not kept"


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    values = {"3.89e-05": 0.1, "0.000117": 0.9}
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, Trainings(values, killed="0.000117"), "--sweep", "learning_rate=1e-5,3e-5")
    train = Trainings(values)
    assert sweep(tmp_path, train, "--sweep", "learning_rate=1e-5,3e-5")[-1] == "3e-5"
    assert len(train.asked) == 1
    assert sweep(tmp_path, train, "--sweep", "learning_rate=1e-5,3e-5", rows=[*ROWS[1:], ROWS[0]])[-1] == "3e-5"
    assert len(train.asked) == 3, "other pairs are another sweep"
    assert len(json.loads((tmp_path / "sweep" / "sweep.json").read_text("utf-8"))) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("learning_rate=1e-5", "has no two values to compare"),
        ("learning_rte=1e-5,2e-5", "can't vary 'learning_rte' (did you mean 'learning_rate'"),
        ("output_dir=a,b", "can't vary 'output_dir'"),
        ("beta=0.1,much", "--beta much is not a number"),
        ("beta=0.1,0.2 --verdict_questions 0", "compares verdicts"),
        ("learning_rate=1e-5,0", "--learning_rate 0 must be above 0"),
        ("loss_type=sigmoid,sigmod", "there is no --loss_type sigmod"),
        ("lora_r=8,16", "--lora_r has no effect without --use_peft"),
    ],
)
def test_a_sweep_that_can_not_be_made_is_refused(words: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError) as caught:
        sweep(tmp_path, Trainings({}), "--sweep", *words.split())
    assert said in str(caught.value)


def test_a_sweep_needs_a_run_and_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pairforge.InputError, match="which only pairs of a run get"):
        sweep(None, Trainings({}), "--sweep", "beta=0.1,0.2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(pairforge.InputError, match="runs in one process"):
        sweep(tmp_path, Trainings({}), "--sweep", "beta=0.1,0.2")


@pytest.mark.slow
def test_the_bundled_model_is_swept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", output=str(tmp_path), quiet=True).run.path
    flags = ["--dataset", str(run), "--sweep", "learning_rate=1e-6,3e-5", "--sweep_only"]
    assert dpo.main(flags) == 0
    shown = capfd.readouterr()
    assert shown.out.endswith(f"pairforge train dpo --dataset {run} --learning_rate 3e-5\n")
    assert "* learning_rate 3e-5  short by" in shown.out
    assert not [*run.glob("model*")], "nothing else was trained"
