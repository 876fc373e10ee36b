"""Columns by other names: those that are known, those that a user names, and those that can be guessed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge import formats
from pairforge.errors import InputError
from pairforge.formats.columns import Names, at, guessed

ROW = {"frage": "q", "gut": "good", "schlecht": "bad", "meta": {"rolle": "Be brief.", "n": [1, 2]}, "other": 1}
GERMAN = ["prompt=frage", "chosen=gut", "rejected=schlecht"]


def read(rows: list[Any], columns: Any) -> list[Any]:
    shape, stream = formats.recognise(rows, formats.by_hand(columns))
    return list(formats.as_pairs(stream, shape, Counter()))


@pytest.mark.parametrize(
    "columns", [GERMAN, " ".join(GERMAN), {"prompt": "frage", "chosen": "gut", "rejected": "schlecht"}]
)
def test_columns_of_any_name_are_read(columns: Any) -> None:
    (pair,) = read([ROW], columns)
    assert [turn["content"] for turn in pair["chosen"]] == ["q", "good"]
    assert [turn["content"] for turn in pair["rejected"]] == ["q", "bad"]
    assert {name: pair[name] for name in ("meta", "other")} == {"meta": ROW["meta"], "other": 1}


def test_a_path_leads_into_an_object() -> None:
    (pair,) = read([ROW], [*GERMAN, "system=meta.rolle"])
    assert pair["chosen"][0] == {"role": "system", "content": "Be brief."}
    assert (at(ROW, "meta.n.1"), at(ROW, "meta.x.y"), at({"a.b": 1}, "a.b")) == (2, None, 1)


def test_columns_named_by_hand_go_before_those_that_are_known() -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "second": "c"}
    (pair,) = read([row], ["rejected=second"])
    assert pair["rejected"][-1]["content"] == "c"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["chosen=gute"], "no such column, found frage, gut, schlecht"),
        (["choosen=gut"], "did you mean 'chosen'"),
        (["gut"], "not of the form PART=COLUMN"),
    ],
)
def test_a_wrong_name_is_one_line(columns: list[str], said: str) -> None:
    with pytest.raises(InputError) as raised:
        read([ROW], columns)
    assert said in str(raised.value)


def test_every_command_of_pairs_takes_them(tmp_path: Path) -> None:
    rows = [{**ROW, "frage": f"question {n}", "gut": f"good {n}", "schlecht": f"bad {n}"} for n in range(3)]
    out: dict[str, Any] = {"columns": GERMAN, "quiet": True}
    assert pairforge.validate(rows, **out).ok
    assert [row["chosen"][-1]["content"] for _, row in pairforge.show(rows, **out).rows] == [
        "good 0",
        "good 1",
        "good 2",
    ]
    assert pairforge.convert(rows, tmp_path / "pairs.jsonl", **out).written == 3
    assert len(pairforge.read_pairs(tmp_path / "pairs.jsonl")) == 3
    assert pairforge.shortcuts(rows, **out).rows == 3
    assert pairforge.balance(rows, **out).before.rows == 3
    assert pairforge.push(rows, output=str(tmp_path), dry_run=True, **out).ok


def test_names_are_found_whatever_their_case_and_within_objects() -> None:
    assert formats.shape_of([{"Prompt": "q", "Chosen-Response": "a", "Rejected Response": "b"}]).name == "texts"
    shape = formats.shape_of([{"id": 1, "pair": {"prompt": "q", "chosen": "a", "rejected": "b"}}])
    assert shape.names == Names({}, ["pair"])


def test_what_is_guessed() -> None:
    assert guessed([{"question": "q", "not_good": "b", "good": "a"}]) == {
        "prompt": "question",
        "chosen": "good",
        "rejected": "not_good",
    }
    assert guessed([{"x": "a", "y": "b"}]) == {}
