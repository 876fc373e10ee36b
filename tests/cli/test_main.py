"""How results are printed: no padding, -q alone, several sources, help and version, colours on a terminal only."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import pair, write_jsonl

import pairforge
from pairforge.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of pairs, a faulty one, and a run."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "good.jsonl", [pair("good", "bad", f"q{number}?") for number in range(3)])
    write_jsonl(tmp_path / "same.jsonl", [pair("good", "good")])
    write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "q", "answers": ["I am Qwen."]}])
    (tmp_path / "q.txt").write_text("q\n")
    return tmp_path


CORRECT = "correct --from Qwen --to Athene -p q.txt --no-system --replay answers.jsonl"


def run(arguments: str) -> Result:
    return CliRunner().invoke(main, arguments.split(), prog_name="pairforge")


def test_q_prints_the_path_alone() -> None:
    done = run(f"{CORRECT} -q")
    assert done.exit_code == 0 and not done.stderr
    path = Path(done.stdout.strip())
    assert path.name == "pairs.jsonl" and path.is_file()
    assert run(f"validate {path} -q").stdout == "1 row: nothing wrong\n"
    for command in ("convert", "fix", "balance"):
        assert run(f"{command} good.jsonl {command}.jsonl -q").stdout == f"{command}.jsonl\n"
    assert run("runs list -q").stdout == f"{path.parent.name}\n"
    assert "Athene" in run("runs show -q").stdout, "what was asked for is printed all the same"


def test_q_says_on_stderr_why_there_is_nothing() -> None:
    done = run(f"{CORRECT} -q".replace("Qwen", "Llama"))
    assert done.exit_code == 3 and done.stdout.endswith("pairs.jsonl\n") and done.stderr


@pytest.mark.parametrize("command", ["validate same.jsonl", "shortcuts good.jsonl", "runs list", "runs show", CORRECT])
def test_what_is_piped_has_no_padding(command: str) -> None:
    run(f"{CORRECT} -q")
    lines = run(command).stdout.splitlines()
    assert lines[0].strip() and lines[-1].strip()
    assert [line for line in lines if line != line.rstrip()] == []


def test_several_sources_are_reported_one_by_one_with_the_worst_exit_code() -> None:
    done = run("validate good.jsonl same.jsonl nowhere.jsonl good.jsonl")
    assert done.exit_code == 2 and "nowhere.jsonl does not exist" in done.stderr
    assert [line for line in done.stdout.splitlines() if line.endswith(".jsonl:")] == [
        "good.jsonl:", "same.jsonl:", "nowhere.jsonl:",
    ]  # fmt: skip
    assert run("validate good.jsonl same.jsonl").exit_code == 1
    said = json.loads(run("validate good.jsonl nowhere.jsonl --json").stdout)
    assert said["ok"] is False and [one["ok"] for one in said["sources"]] == [True, False]
    assert run("validate good.jsonl same.jsonl -q").stdout.splitlines()[0] == "good.jsonl: 3 rows: nothing wrong"
    assert "command" in json.loads(run("validate good.jsonl --json").stdout), "one source, as it was"


def test_help_and_version_have_their_usual_names() -> None:
    version = f"pairforge, version {pairforge.__version__}\n"
    assert run("-V").stdout == run("--version").stdout == run("version").stdout == version
    assert run("help correct").stdout == run("correct --help").stdout
    assert run("help").stdout == run("--help").stdout


def on_terminal(*arguments: str, **environment: str) -> str:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pairforge", *arguments]
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"} | environment
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        said = b""
        while True:
            try:
                said += (part := os.read(leader, 4096))
            except OSError:
                break
            if not part:
                break
        process.wait()
    os.close(leader)
    return said.decode()


def test_pass_fail_and_errors_are_coloured_on_a_terminal_alone(here: Path) -> None:
    run(f"{CORRECT} -q")
    [folder] = (here / "pairforge-out").glob("correct-*")
    for name, ok in (("model", True), ("model-2", False)):
        (folder / name).mkdir()
        (folder / name / "config.json").touch()
        (folder / name / "verdict.json").write_text(json.dumps({"ok": ok}))
    seen = on_terminal("runs", "list")
    assert "model \x1b[1;32mPASS" in seen and "model-2 \x1b[1;31mFAIL" in seen
    assert "model PASS, model-2 FAIL" in run("runs list").stdout
    assert "\x1b[1;3" not in on_terminal("runs", "list", NO_COLOR="1")
    assert "\x1b[31m\x1b[1mpairforge:" in on_terminal("validate", "nowhere.jsonl")
    assert "\x1b[3" not in on_terminal("validate", "nowhere.jsonl", NO_COLOR="1")


def test_a_home_folder_is_meant_by_a_tilde_that_the_shell_left() -> None:
    done = CliRunner().invoke(main, ["validate", "~/nosuch.jsonl"], env={"HOME": "/somewhere"})
    assert "/somewhere/nosuch.jsonl does not exist" in done.stderr
    done = CliRunner().invoke(main, ["sample", "--prompts=~/nosuch.csv"], env={"HOME": "/somewhere"})
    assert "/somewhere/nosuch.csv: no such file" in done.stderr


def test_a_terminal_of_no_width_gets_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert "nothing wrong" in CliRunner().invoke(main, ["validate", "good.jsonl"]).stdout
