"""Every command of the README is one that works."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from test_offline import LESS

from pairforge.cli import main

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"^```(?:console|bash|sh|shell)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OTHERS = {"cd", "git", "hf", "ls", "pip", "source", "uv"}
"""Programs that aren't ours: not looked into."""
AWAY = re.compile(r"/|\.(jsonl?|py|parquet)$|^--repo")
"""A word that names a file of the reader's or something on the Hub: the command is parsed and not run."""
ON_A_HANDFUL = {"evaluate": 1, "shortcuts": 1, "onpolicy": 3}
"""The exit code that a command may also end with on a handful of prompts."""
LIMITS = {"onpolicy": "24"}
"""How many prompts it takes for a pair or two; elsewhere 4."""


def commands() -> Iterator[list[str]]:
    """The commands in shell blocks, as words: the lines after a `$`, or all lines of a block that has no prompt."""
    for block in re.findall(
        r"^```(?:console|bash|sh|shell)\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        lines = block.replace("\\\n", " ").splitlines()
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        for line in prompted or lines:
            if words := shlex.split(line, comments=True):
                yield words


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The click command that words after `pairforge` name, and what is left for it."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_both_commands_of_the_clone_are_told() -> None:
    told = [words[2] for words in commands() if words[:2] == ["python3", "bootstrap.py"]]
    assert {"demo", "test"} <= set(told) <= {"demo", "test", "setup"}


def test_commands_parse() -> None:
    for words in commands():
        if words[0] == "pairforge":
            command, rest = find(words[1:])
            parent = click.Context(main, info_name="pairforge", **main.context_settings)
            with contextlib.suppress(click.exceptions.Exit):  # --help, --version
                command.make_context(command.name, rest, parent)
        elif words[0].startswith("python"):
            assert words[1:3] == ["-m", "trainers.dpo"] or words[1] == "bootstrap.py", words
        else:
            assert words[0] in OTHERS, words


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order and in one folder, as a reader would, on a few prompts and two steps of training."""
    monkeypatch.chdir(tmp_path)
    for words in commands():
        if any(AWAY.search(word) for word in words):
            continue
        if words[0] == "pairforge" and words[1] != "train":
            run(words[1:])
        elif words[0] == "pairforge" or words[1:3] == ["-m", "trainers.dpo"]:
            train(words[3:])


def run(words: list[str]) -> None:
    limited = any(parameter.name == "limit" for parameter in find(words)[0].params) and "--limit" not in words
    done = CliRunner().invoke(main, [*words, *(["--limit", LIMITS.get(words[0], "4")] if limited else [])])
    assert done.exit_code in (0, ON_A_HANDFUL.get(words[0], 0)), f"{words}\n{done.output}"


def train(words: list[str]) -> None:
    command = [sys.executable, "-m", "trainers.dpo", *words, *LESS["trainers.dpo"]]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout + done.stderr
