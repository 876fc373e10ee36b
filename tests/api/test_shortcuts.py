"""`shortcuts` takes rows or a file, and knows what a correction run meant to change."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support import pair, read_jsonl, write_jsonl

from pairforge import formats
from pairforge.api.shortcuts import shortcuts
from pairforge.errors import InputError


def pairs() -> list[dict[str, Any]]:
    return [pair(f"I am Deep Qwen, answer {n}.", f"I am Qwen, answer {n}.", f"Who, {n}?") for n in range(60)]


def test_rows_in_every_form(tmp_path: Path) -> None:
    made = pairs()
    formats.to_dataset(made).to_parquet(tmp_path / "pairs.parquet")
    reports = [
        shortcuts(data).as_json() for data in (made, iter(made), formats.to_dataset(made), tmp_path / "pairs.parquet")
    ]
    assert all(report == reports[0] for report in reports)
    assert not reports[0]["ok"]


def test_each_kind_of_a_mixed_set_is_audited_alone() -> None:
    plain = [pair(f"Yes, {n}.", f"No, {n}.", f"Is it {n}?", method="delta") for n in range(40)]
    other = [pair(f"No, {n}.", f"Yes, {n}.", f"And {n}?", method="reference") for n in range(40)]
    assert shortcuts(plain).kinds == {}
    report = shortcuts([*plain, *other])
    assert report.verdict == "ok" and not report.ok
    assert {kind: one.verdict for kind, one in report.kinds.items()} == {"delta": "high", "reference": "high"}
    assert report.as_json()["kinds"]["delta"]["rows"] == 40
    assert "the 40 pairs of method 'reference' alone: verdict: high" in str(report)


def test_a_run_says_what_is_intended(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_jsonl(path, pairs())
    assert not shortcuts(path).ok
    run = {
        "command": "correct",
        "settings": {"model": "m", "rules": {"Qwen": "Deep Qwen"}},
        "counts": {"pairs": 60, "skips": {}},
    }
    (tmp_path / "run.json").write_text(json.dumps(run), "utf-8")
    report = shortcuts(str(path))
    assert report.ok
    assert [finding.more["feature"] for finding in report.findings] == ["Deep Qwen"]
    (tmp_path / "other.jsonl").write_text(path.read_text("utf-8"), "utf-8")
    assert not shortcuts(tmp_path / "other.jsonl").ok
    assert shortcuts(tmp_path / "other.jsonl", expect=["Deep Qwen"]).ok


@pytest.mark.slow
def test_how_hard_pairs_are_for_a_model(tmp_path: Path) -> None:
    report = shortcuts(iter(pairs()), model="pocket", easiness=str(tmp_path / "easiness.jsonl"))
    said = report.as_json()["difficulty"]
    assert (said["model"], said["pairs"], said["prefers_rejected"]) == ("pocket", 60, 1.0)
    assert "prefers the rejected token in 100% of pairs" in str(report)
    line = json.loads((tmp_path / "easiness.jsonl").read_text("utf-8").splitlines()[7])
    assert line["row"] == 7 and line["deficit"] > 0 and "ches_normalised" in line
    assert "difficulty" not in shortcuts(pairs()).as_json()


@pytest.mark.slow
def test_files_beside_the_report(tmp_path: Path) -> None:
    report = shortcuts(pairs(), svg=str(tmp_path / "p.svg"), easiness=str(tmp_path / "easiness.jsonl"))
    assert (tmp_path / "p.svg").read_text("utf-8") == report.svg()
    lines = read_jsonl(tmp_path / "easiness.jsonl")
    assert [line["row"] for line in lines] == list(range(60))
    assert all(line["easiness"] <= 1 for line in lines)


def test_without_matplotlib_a_picture_is_refused_before_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="--svg needs matplotlib") as error:
        shortcuts("no such file", svg=str(tmp_path / "p.svg"))
    assert error.value.fix == 'pip install "pairforge[plot]"'
    assert shortcuts(pairs()).cues


def test_a_file_is_read_again_where_a_sample_does_not_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    write_jsonl(path, pairs())
    report = shortcuts(path, max_prompts=20)
    assert (report.sampled.prompts, report.prompts, report.cues[0].separates) == (20, 60, 60)
    assert shortcuts(path, max_prompts=20, whole=True).sampled.whole


@pytest.mark.slow
def test_a_models_tokens_take_the_place_of_words() -> None:
    report = shortcuts(pairs(), tokenizer="pocket")
    assert report.cues[0].feature.strip() in ("Deep", "Deep Qwen")
