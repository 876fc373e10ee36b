"""Answers with labels: told apart, named, paired only where a prompt has both labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pairforge import formats
from pairforge.types import Skip


def answer(prompt: str, text: str, label: Any, **columns: Any) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": text}],
        "label": label,
        **columns,
    }


def paired(rows: list[Any]) -> tuple[list[tuple[str, str, str]], list[Skip], Counter[str]]:
    shape, stream = formats.recognise(rows)
    assert shape.name == "kto"
    lost = Counter[str]()
    made = list(formats.as_pairs(stream, shape, lost))
    pairs = [
        (row["chosen"][0]["content"], row["chosen"][-1]["content"], row["rejected"][-1]["content"])
        for row in made
        if isinstance(row, dict)
    ]
    return pairs, [row for row in made if isinstance(row, Skip)], lost


def test_both_labels_make_a_pair_in_order() -> None:
    rows = [
        answer("p", "bad 1", False), answer("q", "good", True), answer("p", "good 1", True),
        answer("p", "good 2", True), answer("p", "bad 2", False), answer("q", "good too", True),
    ]  # fmt: skip
    pairs, skips, lost = paired(rows)
    assert pairs == [("p", "good 1", "bad 1"), ("p", "good 2", "bad 2")]
    assert [(skip.reason, skip.detail.split(":")[0]) for skip in skips] == [
        ("unpaired", "row 1"),
        ("unpaired", "row 5"),
    ]
    assert not lost


def test_texts_and_messages_and_other_labels() -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "p", "completion": "good", "label": 1},
        {"prompt": "p", "completion": "bad", "label": "False"},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}], "label": True},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}], "kto_tag": False},
    ]
    assert paired(rows)[0] == [("p", "good", "bad"), ("q", "good", "bad")]
    assert paired([row | {"completion": None} for row in rows[2:]])[0] == [("q", "good", "bad")]


def test_columns_that_agree_are_kept_and_others_counted() -> None:
    rows = [answer("p", "good", True, id="x", rank=1, note="n"), answer("p", "bad", False, id="x", rank=2)]
    shape, lost = formats.shape_of(rows), Counter[str]()
    (pair,) = formats.as_pairs(rows, shape, lost)
    assert isinstance(pair, dict)
    assert {name: pair[name] for name in pair if name not in ("chosen", "rejected")} == {"id": "x", "note": "n"}
    assert lost == {"rank": 1}


@pytest.mark.parametrize("row", [answer("p", "x", 7), answer("p", "x", None), answer("", "", True) | {"prompt": []}, 1])
def test_a_row_that_is_none_is_a_skip(row: Any) -> None:
    pairs, skips, _ = paired([answer("p", "good", True), answer("p", "bad", False), row])
    assert len(pairs) == 1
    assert [(skip.reason, skip.detail) for skip in skips] == [("shape", "row 2: no answer with a label")]


def test_a_check_sees_them_as_they_stand() -> None:
    rows = [answer("p", "good", True), answer("p", "bad", False)]
    assert list(formats.presented(rows)) == rows
