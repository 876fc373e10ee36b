from __future__ import annotations

import re
from pathlib import Path

import pytest

from pairforge import resources
from pairforge.resources import alternation, compiled, patterns, resource


def test_a_bundled_file_is_found() -> None:
    assert (resource("data", "pocket") / "config.json").exists()
    with pytest.raises(FileNotFoundError, match="data/none is not part of this installation"):
        resource("data", "none")


def test_patterns_are_lines_by_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/patterns").mkdir(parents=True)
    text = "# Greetings.\n[hello]\n# English\nhi there\n[,.]x\n[من]\n\n  hey #1 \n[bye]\n"
    (tmp_path / "data/patterns/greetings.txt").write_text(text, "utf-8")
    monkeypatch.setattr(resources, "resource", tmp_path.joinpath)
    assert patterns("greetings") == {"hello": ["hi there", "[,.]x", "[من]", "hey #1"], "bye": []}
    assert patterns("greetings") is patterns("greetings")


def test_a_section_is_filled_into_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/patterns").mkdir(parents=True)
    text = "[who]\nyou\n{them}\n[them]\nall|both\n[hello]\nhi {who}!\nhey{0,3}\n"
    (tmp_path / "data/patterns/fillings.txt").write_text(text, "utf-8")
    monkeypatch.setattr(resources, "resource", tmp_path.joinpath)
    assert alternation("fillings", "hello") == "hi (?:you|(?:all|both))!|hey{0,3}"
    assert [bool(compiled("fillings", "hello").fullmatch(said)) for said in ("hi both!", "hi you", "he")] == [1, 0, 1]


@pytest.mark.parametrize("path", sorted(resource("data", "patterns").glob("*.txt")), ids=lambda path: path.stem)
def test_no_bundled_section_is_empty_or_there_twice(path: Path) -> None:
    headers = re.findall(r"^\[[a-z0-9_]+\]$", path.read_text("utf-8"), re.MULTILINE)
    assert len(headers) == len(patterns(path.stem)) > 0
    assert all(patterns(path.stem).values())
