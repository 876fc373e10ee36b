"""No training replaces the model of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import pair

import pairforge
from trainers.data import TrainingJob
from trainers.flags import Given
from trainers.output_folder import STATE, OutputFolder, check_output_folder, evaluation_seconds

ROWS = [pair("I am Deep Qwen.", "I am Qwen.", model="pocket")]
THIS, OTHER = {"training": "this"}, {"training": "another"}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("run")


def job(run: Path | None) -> TrainingJob:
    return TrainingJob(ROWS, [], run, "pocket", "mine.jsonl")


def chosen(run: Path | None, *words: str, state: dict[str, str] | None = None) -> OutputFolder:
    """The folder that is chosen, which is then closed."""
    output = OutputFolder.open(job(run), Given.of(words), state or THIS)
    output.close()
    return output


def trained(folder: Path, state: dict[str, str], finished: bool = True) -> None:
    """Leave a whole model in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / STATE).write_text(json.dumps({**state, "finished": finished, "evaluation_seconds": 7.0}))


def test_the_first_folder_without_a_model_is_taken(run: Path) -> None:
    assert chosen(run).path == run / "model"
    assert chosen(run).path == run / "model", "an empty one is used again"
    trained(run / "model", THIS)
    assert chosen(run).path == run / "model-2"
    trained(run / "model-2", THIS)
    assert chosen(run).path == run / "model-3"
    assert chosen(None).path == Path("pairforge-model")
    trained(Path("pairforge-model"), THIS)
    assert chosen(None).path == Path("pairforge-model-2")
    assert not [*Path(".").rglob(".training.lock")]


def test_weights_without_a_verdict_are_those_of_the_same_training_only(run: Path) -> None:
    trained(run / "model", THIS, finished=False)
    assert (chosen(run).path, chosen(run).trained) == (run / "model", True)
    other = chosen(run, state=OTHER)
    assert (other.path, other.trained) == (run / "model-2", False)


def test_a_finished_training_is_not_resumed(run: Path) -> None:
    trained(run / "model", THIS)
    again = chosen(run, "--resume_from_checkpoint", "auto")
    assert (again.path, again.trained, again.finished) == (run / "model", True, True)
    assert chosen(run, "--resume_from_checkpoint", "auto", state=OTHER).path == run / "model-2"


def test_a_folder_that_holds_a_model_is_refused_unless_it_may_be_replaced(run: Path) -> None:
    words = ["--output_dir", "mine"]
    assert chosen(run, *words).path == Path("mine")
    trained(Path("mine"), OTHER)
    (Path("mine") / "verdict.json").write_text('{"ok": true}')
    for refuses in (lambda: check_output_folder(Given.of(words), job(run)), lambda: chosen(run, *words)):
        with pytest.raises(pairforge.InputError, match=r"mine holds a trained model already \(PASS\).*--overwrite"):
            refuses()
    check_output_folder(Given.of([*words, "--overwrite"]), job(run))
    assert chosen(run, *words, "--overwrite").path == Path("mine")
    (Path("mine") / "checkpoint-4").mkdir()
    resumed = [*words, "--resume_from_checkpoint", "auto"]
    check_output_folder(Given.of(resumed), job(run))
    assert chosen(run, *resumed).path == Path("mine")


def test_the_lock_of_a_killed_training_holds_nobody_up(run: Path) -> None:
    (run / "model").mkdir(parents=True)
    (run / "model" / ".training.lock").write_text("")
    assert chosen(run).path == run / "model"
    assert not (run / "model" / ".training.lock").exists()


def test_two_trainings_at_once_have_two_folders(run: Path) -> None:
    first = OutputFolder.open(job(run), Given.of([]), THIS)
    assert chosen(run, state=OTHER).path == run / "model-2"
    with pytest.raises(pairforge.InputError, match="another training is writing"):
        chosen(run, "--output_dir", str(run / "model"))
    first.close()
    assert chosen(run).path == run / "model"


def test_a_folder_that_can_not_be_is_refused(run: Path) -> None:
    Path("file").write_text("")
    for name, said in (("file", "^file is a file, not"), ("file/below", "/file is a file, not"), ("", "is empty")):
        with pytest.raises(pairforge.InputError, match=said):
            check_output_folder(Given.of([f"--output_dir={name}"]), job(run))


def test_the_evaluation_of_an_earlier_model_says_how_long_the_next_takes(run: Path) -> None:
    assert evaluation_seconds(run / "model") == 0
    trained(run / "model", THIS)
    assert evaluation_seconds(run / "model-2") == 7
