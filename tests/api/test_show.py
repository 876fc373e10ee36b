"""Pairs are shown from a run, a file, or the latest run."""

import json
from pathlib import Path

import pytest
from support import pair, write_jsonl

import pairforge
from pairforge.errors import InputError


@pytest.mark.slow
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
    write_jsonl(file, ({"chosen": side, "rejected": side}, row))
    with pytest.raises(InputError, match=r"p\.jsonl: row 1 is not a pair.*pairforge validate .*p\.jsonl"):
        pairforge.show(str(file))
    assert len(pairforge.show(str(file), limit=1).rows) == 1


ROWS = [
    pair(f"{name} {answer}", f"{name} nobody", "Who?", id=name)
    for name, answer in (("aa", "Deep"), ("1", "Qwen"), ("cc", "<|im_end|> all"))
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "p.jsonl"
    write_jsonl(path, ROWS)
    return str(path)


def test_one_pair_by_id_or_row_number(file: str) -> None:
    assert [number for number, _ in pairforge.show(file, "cc").rows] == [2]
    assert [number for number, _ in pairforge.show(file, "0").rows] == [0]
    assert [number for number, _ in pairforge.show(file, "1").rows] == [1], "an id comes before a number"
    with pytest.raises(InputError, match=r"no pair zz.*row number"):
        pairforge.show(file, "zz")


@pytest.mark.slow
def test_a_single_name_that_is_no_file_is_a_pair_of_the_latest_run(tmp_path: Path) -> None:
    pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True)
    shown = pairforge.show("2", output=str(tmp_path), quiet=True)
    assert [number for number, _ in shown.rows] == [2]
    assert pairforge.show(str(shown.rows[0][1]["id"]), output=str(tmp_path), quiet=True) == shown
    with pytest.raises(InputError, match="nonesuch"):
        pairforge.show("nonesuch.jsonl", output=str(tmp_path), quiet=True)


@pytest.mark.slow
def test_tokens_of_the_run_s_model(tmp_path: Path) -> None:
    pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True)
    xray = pairforge.show(tokens=True, output=str(tmp_path), quiet=True).as_json()["tokens"]
    assert (xray["model"], xray["row"], xray["max_length"], xray["dropped"]) == ("pocket", 0, 1024, False)
    assert [xray[side]["tokens"][xray["parting"]] for side in ("chosen", "rejected")] == ["Deep", "Qwen"]


def test_tokens_of_a_named_model_with_its_findings(file: str) -> None:
    shown = pairforge.show(file, "cc", tokens=True, model="pocket", max_length=60, quiet=True)
    xray = shown.as_json()["tokens"]
    assert [finding["code"] for finding in xray["findings"]] == ["PF411", "PF413"]
    assert {finding["row"] for finding in xray["findings"]} == {2, None}
    assert "You are Qwen" in xray["findings"][1]["message"]


def test_tokens_need_a_model_and_a_row_that_it_can_render(file: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names no model.*--model"):
        pairforge.show(file, tokens=True)
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({**ROWS[0], "tools": "{"}) + "\n")
    with pytest.raises(InputError, match="row 0 can't be rendered"):
        pairforge.show(str(bad), tokens=True, model="pocket")
