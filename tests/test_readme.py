"""Every command of the README works, README_zh.md shows the same ones, and no link of the documentation is broken."""

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
from trainers.flags import Given

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CHINESE = ROOT / "README_zh.md"
PAGES = [README, CHINESE, *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:console|bash|sh|shell)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OTHERS = {"cd", "git", "hf", "ls", "pip", "source", "uv"}
"""Programs that aren't ours: not looked into."""
AWAY = re.compile(r"/|\.(jsonl?|py|parquet)$|^--repo")
"""A word that names a file of the reader's or something on the Hub: the command is parsed and not run."""
ON_A_HANDFUL = {"evaluate": 1, "shortcuts": 1, "onpolicy": 3}
"""The exit code that a command may also end with on a handful of prompts."""
LIMITS = {"onpolicy": "24"}
"""How many prompts it takes for a pair or two; elsewhere 4."""


def commands(page: Path = README) -> Iterator[list[str]]:
    """The commands in shell blocks, as words: the lines after a `$`, or all lines of a block that has no prompt."""
    for block in BLOCK.findall(page.read_text("utf-8")):
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


def test_the_chinese_page_shows_the_same_commands() -> None:
    assert list(commands(CHINESE)) == list(commands())


def test_the_chinese_page_shows_no_other_output() -> None:
    """Its blocks may leave lines out, and show none that README.md does not show."""
    english = set("\n".join(BLOCK.findall(README.read_text("utf-8"))).splitlines())
    for block in BLOCK.findall(CHINESE.read_text("utf-8")):
        shown = [line for line in block.splitlines() if "#" not in line]  # comments are translated
        assert set(shown) - {"..."} <= english


LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|^    .*?$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.+?)$", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The links of a page to files, and sections of pages, that don't exist."""
    missing = []
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path, _, section = link.partition("#")
        target = page.parent / path if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (section and section not in anchors(target)):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_the_documentation_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](#one-two) [b](#three) [c](page.md#one-two) [d](no.md) `[e](no.md)`\n", "utf-8")
    assert broken(page) == ["#three", "no.md"]


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    listed = set(LINK.findall(index.read_text("utf-8")))
    pages = {page.name for page in index.parent.glob("*.md")} - {index.name}
    assert pages <= listed


def parse(words: list[str]) -> None:
    """Parse a command without running it, up to a `>`; an option that doesn't exist raises an exception."""
    words = words[: words.index(">")] if ">" in words else words
    if words[1:3] == ["train", "dpo"] and "--config" not in words:
        Given.of(words[3:])
    command, rest = find(words[1:])
    parent = click.Context(main, info_name="pairforge", **main.context_settings)
    with contextlib.suppress(click.exceptions.Exit):  # --help, --version
        command.make_context(command.name, rest, parent)


def test_commands_parse() -> None:
    for words in commands():
        if words[0] == "pairforge":
            parse(words)
        elif words[0].startswith("python"):
            assert words[1:3] == ["-m", "trainers.dpo"] or words[1] == "bootstrap.py", words
        else:
            assert words[0] in OTHERS, words


INDENTED = re.compile(r"^    (pairforge .*)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES[2:], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_the_documentation_parse(page: Path) -> None:
    indented = (shlex.split(line, comments=True) for line in INDENTED.findall(page.read_text("utf-8")))
    for words in (*commands(page), *indented):
        if words[0] == "pairforge":
            parse(words)


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
    command = [sys.executable, "-m", "trainers.dpo", *words, *LESS["dpo"]]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout + done.stderr
