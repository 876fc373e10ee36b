"""Pairs are shown from a run, a file, or the latest run."""

import json
from pathlib import Path

import pytest

import pairforge
from pairforge.errors import InputError


def test_show_by_run_file_or_latest(tmp_path: Path) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True).run
    shown = [
        pairforge.show(data, limit=2, output=str(tmp_path), quiet=True)
        for data in (str(run.path), str(run.pairs), None)
    ]
    assert shown[0] == shown[1] == shown[2]
    assert [number for number, _ in shown[0].rows] == [0, 1]
    assert shown[0].as_json()["pairs"][0]["chosen"][-1]["role"] == "assistant"


@pytest.mark.parametrize(
    "row",
    [
        {"a": 1},
        {"chosen": "yes", "rejected": "no"},
        {"chosen": [], "rejected": []},
        {"chosen": [{"role": "assistant"}], "rejected": [{"role": "assistant", "content": "no"}]},
        {"chosen": [{"role": "assistant", "content": None}], "rejected": [{"role": "assistant", "content": "no"}]},
        ["chosen", "rejected"],
        7,
    ],
)
def test_a_row_that_is_no_pair_is_named(tmp_path: Path, row: object) -> None:
    side = [{"role": "assistant", "content": "yes"}]
    file = tmp_path / "p.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in ({"chosen": side, "rejected": side}, row)))
    with pytest.raises(InputError, match=r"p\.jsonl: row 1 is no pair.*pairforge validate .*p\.jsonl"):
        pairforge.show(str(file))
    assert len(pairforge.show(str(file), limit=1).rows) == 1
