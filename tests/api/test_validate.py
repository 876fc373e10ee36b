"""`validate` takes rows in every form, and a file."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairforge import formats
from pairforge.api.validate import validate
from pairforge.types import Message, Pair, Prompt


def rows(count: int) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {"method": "m", "model": "n", "judge": "j", "chosen_score": 1.0, "rejected_score": 0.0}
    prompts = [Prompt((Message(role="user", content=f"Question {n}?"),)) for n in range(count)]
    return [Pair.of(prompt, "Right.", "Wrong.", **columns).row() for prompt in prompts]


def test_sound_rows_in_every_form(tmp_path: Path) -> None:
    sound = rows(5)
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in sound), "utf-8")
    formats.write_parquet(sound, tmp_path / "pairs.parquet")
    for data in (sound, iter(sound), formats.to_dataset(sound), path, str(path), tmp_path / "pairs.parquet"):
        assert validate(data) == []
    assert validate([MappingProxyType(row) for row in sound]) == []


def test_rows_count_from_0_and_paths_point(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    broken = rows(2)
    broken[1]["rejected"][1]["content"] = " "
    path.write_text(json.dumps(broken[0]) + "\n\n" + json.dumps(broken[1]) + '\n{"chosen": [', "utf-8")
    empty, cut = validate(path)
    assert (empty.code, empty.severity, empty.row, empty.path) == ("PF106", "error", 1, "/rejected/1/content")
    assert (cut.code, cut.row) == ("PF001", 2)
    assert f"{path}:4: incomplete JSON" in cut.message


def test_the_findings_are_those_of_the_memory(tmp_path: Path) -> None:
    broken = [*rows(3), *rows(1), {"chosen": [], "rejected": []}]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(broken), "utf-8")
    assert [finding.as_json() for finding in validate(path)] == [finding.as_json() for finding in validate(broken)]


def test_no_rows() -> None:
    (finding,) = validate([])
    assert finding.as_json() == {"code": "PF201", "severity": "error", "message": "no rows", "row": None, "path": ""}
