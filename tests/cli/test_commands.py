"""The help of every command: options under headings, everyday ones first, no broken words, nothing heavy loaded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner

import pairforge
from pairforge.cli import COMMANDS, main
from pairforge.cli.commands import spread


def shown(words: str, columns: int = 80) -> str:
    return CliRunner().invoke(main, [*words.split(), "--help"], terminal_width=columns).output


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("columns", [60, 80])
def test_help_breaks_no_word(words: str, columns: int) -> None:
    wide, narrow = shown(words, 10_000), shown(words, columns)
    assert set(narrow.split()) <= set(wide.split())
    assert max(map(len, narrow.splitlines())) <= columns


def test_an_option_without_a_default_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pair", "--chosen", "a.jsonl"])
    assert ended.value.code == 2 and "--rejected" in capsys.readouterr().err


def test_headings_and_their_order() -> None:
    headings = re.findall(r"^(\S.*):$", shown("correct"), re.MULTILINE)
    assert headings == [
        "Names", "Prompts", "Added pairs", "Revision by a model", "Chosen side", "Model", "Decoding",
        "Server", "Several machines", "Budget", "Output",
    ]  # fmt: skip
    assert shown("correct").index("--from") < shown("correct").index("--json")


def test_an_option_that_may_be_repeated_says_so() -> None:
    assert "The name to replace, e.g. --from Qwen (repeatable)." in " ".join(shown("correct").split())


def test_of_two_names_none_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "-m", "pocket", "--from", "Qwen", "--from", "Alibaba", "--to", "Nova"])
    assert "2 --from but 1 --to" in capsys.readouterr().err


def test_a_wrong_call_names_the_function() -> None:
    unknown: Any = {"colour": "red"}
    with pytest.raises(TypeError, match=r"^correct\(\): .*'colour'"):
        pairforge.correct(**unknown)
    with pytest.raises(TypeError, match=r"^balance\(\): missing .*'data'"):
        pairforge.balance()  # type: ignore[call-arg]


def test_the_documentation_of_a_function_has_its_arguments() -> None:
    assert "    data: Pairs: a run or its folder" in str(pairforge.validate.__doc__)
    assert "    max_new_tokens: An answer is cut" in str(pairforge.correct.__doc__)
    assert {"correct", "validate"} <= {*dir(pairforge)}


def test_one_option_takes_all_columns() -> None:
    args = ["validate", "f.jsonl", "--columns", "prompt=a", "chosen=b", "rejected=c d", "--json", "x=y"]
    assert spread(args) == [
        "validate", "f.jsonl", "--columns", "prompt=a", "--columns", "chosen=b", "--columns", "rejected=c d", "--json",
        "x=y",
    ]  # fmt: skip
    assert spread(["--columns", "a=b", "f.jsonl"]) == ["--columns", "a=b", "f.jsonl"]
