"""pairforge.toml: defaults of commands, checked as options are, and nothing in it that publishes or runs code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support import pair, write_jsonl

import pairforge
from pairforge.cli import main

if sys.version_info < (3, 11):
    pytest.importorskip("tomli")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    write_jsonl(tmp_path / "twice.jsonl", [pair("good", "bad")] * 2)
    write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "q", "answers": ["I am Qwen."]}])
    (tmp_path / "q.txt").write_text("q\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments: str, config: str | None = None) -> Result:
    if config is not None:
        Path("pairforge.toml").write_text(config, "utf-8")
    return CliRunner().invoke(main, arguments.split(), prog_name="pairforge")


BUILD = "correct --from Qwen --to Athene -p q.txt --no-system --replay answers.jsonl"


def test_sections_hold_for_a_command_and_the_command_line_wins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("validate twice.jsonl --strict").exit_code == 1
    ignoring = '[pairforge]\noutput = "runs"\n[validate]\nignore = ["PF202"]\n[runs.list]\nquiet = true\n'
    done = run("validate twice.jsonl --strict", ignoring)
    assert done.exit_code == 0 and done.stderr == "pairforge.toml sets --ignore, --output\n"
    assert run("validate twice.jsonl -q").stderr == ""
    assert run("validate twice.jsonl --strict --ignore PF1").exit_code == 1
    path = Path(run(f"{BUILD} -q").stdout.strip())
    assert path.parts[0] == "runs" and run("runs list").stdout == f"{path.parent.name}\n"
    monkeypatch.chdir(here / "sub")
    assert run("validate").stderr.startswith(
        "../pairforge.toml sets --ignore, --output\nusing the latest run: ../runs/"
    )
    assert "no run under elsewhere" in CliRunner(env={"PAIRFORGE_OUT": "elsewhere"}).invoke(main, ["show"]).stderr


def test_a_table_of_pyproject_holds_too() -> None:
    Path("pyproject.toml").write_text(
        '[tool.pairforge]\noutput = "runs"\n[tool.pairforge.validate]\nignore = "PF202"\n'
    )
    assert run("validate twice.jsonl").stderr == "pyproject.toml sets --ignore, --output\n"


def test_the_run_is_that_of_the_same_options(here: Path) -> None:
    by_options = Path(run(f"{BUILD} -o a -q").stdout.strip())
    given = 'from = "Qwen"\nto = ["Athene"]\nprompts = "q.txt"\nno-system = true\nreplay = "./answers.jsonl"\n'
    by_file = Path(run("correct -o b -q", f"[correct]\n{given}").stdout.strip())
    assert by_file.parent.name == by_options.parent.name and by_file.read_bytes() == by_options.read_bytes()
    assert (by_file.parent / "run.json").read_bytes() == (by_options.parent / "run.json").read_bytes()
    assert pairforge.list_runs().runs == [], "functions do not read the file"


def test_another_source_of_answers_takes_the_place_of_the_server_in_the_file() -> None:
    server = '[pairforge]\nbase_url = "http://localhost:1/v1"\nconcurrency = 2\n'
    assert run(f"{BUILD} -q", server).exit_code == 0


def test_what_the_file_says_of_shards_waits_for_an_executor() -> None:
    shards = '[pairforge]\nshards = "here"\nworkers = 2\n'
    done = run(BUILD, shards)
    assert done.exit_code == 0 and "--shards" not in done.stderr and not Path("here").exists(), done.stderr
    done = run(f"{BUILD} --executor local -o other", '[pairforge]\nshards = "here"\n')
    assert done.exit_code == 0 and "--shards" in done.stderr and Path("here").exists(), done.stderr


@pytest.mark.parametrize(
    ("config", "says", "fix"),
    [
        ("[corect]\n", "unknown section [corect]", "'correct'"),
        ("[correct]\nlimti = 3", "unknown option limti in [correct]", "did you mean 'limit'?"),
        ('[correct]\nlimit = "3"', "limit in [correct] is '3', and must be a whole number", ""),
        ("[correct]\nlimit = true", "limit in [correct] is True, and must be a whole number", ""),
        ("[correct]\nlimit = 0", "limit in [correct]: 0 must be 1 or more", ""),
        ("[correct]\nlimit = [1]", "limit in [correct] is [1], and must be a whole number", ""),
        ("[correct]\nto = 3", "to in [correct] is 3, and must be a text, or a list", ""),
        ('[correct]\ncase = "smrt"', "case in [correct]: 'smrt' is not one of", "did you mean 'smart'?"),
        ('[correct]\nquiet = "yes"', "quiet in [correct] is 'yes', and must be true or false", ""),
        ('[correct]\ndata = "x"', "unknown option data in [correct]", ""),
        ("[pairforge]\nfoo = 1", "unknown option foo in [pairforge]", ""),
        ('[pairforge]\nignore = ["PF206"]', "ignore in [pairforge] does not mean the same in balance, validate", ""),
        ("[pairforge]\njson = true", "unknown option json in [pairforge]", ""),
        ("pairforge = 3", "pairforge must be a section", "[pairforge]"),
        ("[runs]\nlist = 3", "runs.list must be a section", "[runs.list]"),
        ("[train.dpo]\nbeta = 1", "unknown section [train.dpo]", "--config FILE"),
        ("[pairforge", "not TOML", ""),
    ],
)
def test_what_can_t_be_used_is_one_line_with_the_file(config: str, says: str, fix: str) -> None:
    done = run("validate twice.jsonl", config)
    lines = done.stderr.splitlines()
    assert done.exit_code == 2 and len(lines) == 2, done.stderr
    assert lines[0].startswith(f"pairforge: pairforge.toml: {says}") and fix in lines[1]
    assert run("validate --help").exit_code == run("help validate").exit_code == run("version").exit_code == 0


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("push", "repo", "me/data"),
        ("push", "public", True),
        ("push", "private", False),
        ("push", "yes", True),
        ("push", "allow_pocket", True),
        ("runs.rm", "yes", True),
        ("runs.rm", "answers", True),
        ("convert", "overwrite", True),
        ("correct", "fresh", True),
        ("correct", "allow_pickle", True),
        ("correct", "name", "mine"),
        ("onpolicy", "judge", "evil.py:run"),
        ("pairforge", "judge", "evil.py:run"),
        ("correct", "executor", "evil.py:Executor"),
        ("judge", "address", "ray://evil:10001"),
        ("evaluate", "suite", "evil.yaml"),
        ("pairforge", "yes", True),
    ],
)
def test_nothing_is_published_removed_or_run_by_a_file(section: str, key: str, value: Any) -> None:
    done = run("validate twice.jsonl", f"[{section}]\n{key} = {json.dumps(value)}\n")
    assert done.exit_code == 2 and f"{key} can't be set in a file" in done.stderr, done.stderr


def test_a_file_with_a_bad_encoding_is_one_line() -> None:
    Path("pairforge.toml").write_bytes(b'[pairforge]\noutput = "caf\xe9"\n')
    assert "pairforge.toml: not TOML" in run("runs list").stderr
    Path("pairforge.toml").write_bytes(b'\xef\xbb\xbf[pairforge]\r\noutput = "runs"\r\n')
    assert run("runs list").exit_code == 0
