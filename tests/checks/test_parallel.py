"""Several processes find what one finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from support import pair, write_jsonl

from pairforge.api.validate import validate
from pairforge.checks import parallel
from pairforge.errors import OutsideError
from pairforge.types import Skip

QUESTION = "Which of the many cities of this country, of which I know little, is its capital today?"


def numbered(number: int) -> dict[str, Any]:
    answers = ("", "b" * 50) if number % 31 == 0 else (f"It is city {number % 83}.", "I can't tell.")
    return pair(*answers, f"{QUESTION} ({number % 97})", n="x" if number % 57 == 5 else number)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_BLOCK", 4096)


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_the_same_findings_in_the_same_order(tmp_path: Path) -> None:
    lines = [json.dumps(numbered(number)) for number in range(400)]
    lines[200] = "{"
    path, other = tmp_path / "pairs.jsonl", tmp_path / "eval.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    other.write_text(json.dumps({"prompt": f"{QUESTION} (7)"}) + "\n", "utf-8")
    alone = validate(path, against=other)
    assert {"PF001", "PF106", "PF204", "PF209", "PF210"} <= set(alone.counts)
    for jobs in (2,):
        together = validate(path, against=other, jobs=jobs)
        assert together.as_json() == alone.as_json()
    assert validate(path, jobs=2, fix=tmp_path / "fixed.jsonl").fixed
    validate(path, fix=tmp_path / "again.jsonl")
    assert (tmp_path / "fixed.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()


class Odd(Mapping[str, Any]):
    """A mapping that can't be handed to another process, and one that is not even a mapping when looked at."""

    def __init__(self, broken: bool) -> None:
        self.broken = broken
        self.lock = (number for number in ())

    def __getitem__(self, key: str) -> Any:
        return numbered(1)[key]

    def __iter__(self) -> Iterator[str]:
        if self.broken:
            raise RuntimeError("no")
        return iter(numbered(1))

    def __len__(self) -> int:
        return 3


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_rows_of_any_kind(tmp_path: Path) -> None:
    rows: list[Any] = [numbered(number) for number in range(1, 30)]
    rows += [MappingProxyType(numbered(31)), Skip("json", "f:1: not JSON"), None, Odd(False), Odd(True)]
    codes = {(one.row, one.code) for one in validate(rows, jobs=2)}
    assert {(29, "PF106"), (30, "PF001"), (31, "PF010"), (33, "PF010")} <= codes
    assert (32, "PF010") not in codes


def die(*_: Any) -> None:
    os._exit(9)


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_a_worker_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_row_checker", die)
    with pytest.raises(OutsideError, match="a process ended before its work was done"):
        validate([numbered(number) for number in range(50)], jobs=2)


@pytest.mark.slow
def test_the_caller_s_script_is_run_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    path = tmp_path / "pairs.jsonl"
    write_jsonl(path, [numbered(number) for number in range(60)])
    script.write_text(
        "print('run')\n"
        "import pairforge, pairforge.checks.parallel as parallel\n"
        "parallel._BLOCK = 4096\n"
        f"assert pairforge.validate({str(path)!r}, jobs=2).rows == 60\n"
        "from pairforge.checks.shortcuts import counting\n"
        "counting._CHUNK = 5\n"
        f"assert pairforge.shortcuts({str(path)!r}, jobs=2, max_prompts=5).rows == 60\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "run\n"), done.stderr
