"""The command line: exit codes, one line for what a user did, JSON alone on stdout."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import read_jsonl

CORRECT = ("correct", "--from", "Qwen", "--to", "Deep Qwen", "--limit", "6", "--counter", "0.3")


def pairforge(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "PAIRFORGE_OUT"} | environment
    command = [sys.executable, "-m", "pairforge", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with one small correction run, and what its --json said."""
    cwd = tmp_path_factory.mktemp("cli")
    done = pairforge(*CORRECT, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd, json.loads(done.stdout)


@pytest.mark.slow
def test_correct_says_what_it_made_and_the_counts_add_up(made: tuple[Path, dict[str, Any]]) -> None:
    cwd, said = made
    counts = said["counts"]
    assert said["command"] == "correct" and said["ok"] is True
    assert counts["pairs"] + sum(counts["skips"].values()) == counts["prompts"] * counts["contexts"] == 12
    rows = read_jsonl(cwd / said["output"])
    assert len(rows) == counts["pairs"] + counts["counter"]
    assert counts["pairs"] > counts["counter"] > 0
    corrected, against = rows[: counts["pairs"]], rows[counts["pairs"] :]
    assert all("Deep Qwen" in row["chosen"][-1]["content"] for row in corrected)
    assert all("Deep Qwen" in row["rejected"][-1]["content"] and row["method"] == "counter" for row in against)
    assert {row["chosen"][0]["role"] for row in rows} == {"user", "system"}
    assert json.loads((cwd / said["run"] / "run.json").read_text("utf-8"))["counts"] == counts


@pytest.mark.slow
def test_the_same_command_again_has_nothing_to_do(made: tuple[Path, dict[str, Any]]) -> None:
    cwd, said = made
    before = {file.name: file.read_bytes() for file in (cwd / said["run"]).iterdir()}
    again = pairforge(*CORRECT, cwd=cwd)
    assert again.returncode == 0 and "pairs" in again.stdout and "{+Deep" in again.stdout
    assert {file.name: file.read_bytes() for file in (cwd / said["run"]).iterdir()} == before


@pytest.mark.slow
def test_another_name_reuses_the_answers_and_needs_no_model(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    cwd, said = made
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    rename = ("correct", "--from", "Qwen", "--to", "Athene", "--limit", "6", "--json")
    other = pairforge(*rename, cwd=cwd, PYTHONPATH=str(tmp_path))
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout)["run"] != said["run"]
    assert json.loads(other.stdout)["counts"]["pairs"] == said["counts"]["pairs"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "shortcuts", "show", "push"])
def test_commands_take_the_latest_run_and_say_which(made: tuple[Path, dict[str, Any]], command: str) -> None:
    cwd, _ = made
    done = pairforge(command, "--json", cwd=cwd, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["command"] == command
    assert "using the latest run: pairforge-out/correct-" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("correct", "--from", "Qwen", "--to", "Qwen"), "nothing would change"),
        (("correct", "--from", " ", "--to", "x"), "--from is empty"),
        (("correct", "--from", "Qwen"), "--to is missing: what should replace 'Qwen'?"),
        (("correct", "--from", "a", "--to", "b", "-p", "nowhere.jsonl"), "-p nowhere.jsonl: no such file"),
        (("correct", "--from", "a", "--to", "b", "-m", "./nowhere"), "no model folder"),
        (("onpolicy", "--n", "1"), "--n: 1 must be 2 or more"),
        (("onpolicy", "--temperature", "0"), "the same answer"),
        (("onpolicy", "--margin", "-1"), "must be 0 or more"),
        (("correct", "--from", "a", "--to", "b", "--from", "a", "--to", "c"), "more than once"),
        (("onpolicy", "--judge", "nothing"), "'nothing' is not the name of a function"),
        (("validate", "nowhere.jsonl"), "nowhere.jsonl"),
        (("correct", "--from", "a", "--to", "b", "-o", "/proc/x"), "-o DIR"),
    ],
)
def test_what_a_user_did_gets_one_line_and_exit_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = pairforge(*arguments, cwd=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_names_that_stand_nowhere_make_no_pair_and_exit_3(made: tuple[Path, dict[str, Any]]) -> None:
    cwd, _ = made
    done = pairforge("correct", "--from", "Nobody", "--to", "x", "--limit", "6", "--json", cwd=cwd)
    assert done.returncode == 3 and json.loads(done.stdout)["counts"]["skips"] == {"nothing_to_correct": 12}


@pytest.mark.slow
def test_a_closed_pipe_is_quiet_and_exits_141(made: tuple[Path, dict[str, Any]]) -> None:
    cwd, said = made
    command = f"{sys.executable} -m pairforge show {said['run']}; echo $? >&2"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.stderr.splitlines()[-1] == "141", done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "pairforge", "correct", "--from", "Qwen", "--to", "Deep Qwen"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # Whoever runs these tests in the background of a shell ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "pairforge-out" / "evidence.db").exists():
        time.sleep(0.01)
    time.sleep(1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "goes on where this one stopped" in said and "Traceback" not in said


@pytest.mark.slow
def test_the_spellings_of_other_trainers_are_taken_and_not_shown(tmp_path: Path) -> None:
    done = pairforge(
        "correct", "--from", "a", "--to", "b", "--model_name_or_path", "./nowhere", "--max_samples", "1", cwd=tmp_path
    )
    assert "no model folder" in done.stderr
    assert "max_samples" not in pairforge("correct", "--help", cwd=tmp_path).stdout
