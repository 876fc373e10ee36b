"""Rows given in Python: lists, DataFrames, Arrow tables and data sets, with missing values as None."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy
import pandas
import pyarrow
import pytest

from pairforge.errors import InputError
from pairforge.readers import is_given, rows_given

ROWS = [{"prompt": "a", "turns": [{"role": "user"}]}, {"prompt": "b", "turns": []}]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        pandas.DataFrame(ROWS),
        datasets.Dataset.from_list(ROWS),
        pyarrow.Table.from_pylist(ROWS),
        pandas.DataFrame({"prompt": ["a", "b"], "turns": [numpy.array([{"role": "user"}]), numpy.array([])]}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_rows_are_the_same_wherever_they_are(data: Any) -> None:
    assert is_given(data)
    assert list(rows_given(data)) == ROWS


def test_a_missing_cell_is_none() -> None:
    frame = pandas.DataFrame({"text": ["a", None], "n": [1.0, numpy.nan], "t": [pandas.NaT, pandas.Timestamp(0)]})
    frame["m"] = pandas.array([1, None], dtype="Int64")
    first, second = rows_given(frame)
    assert first == {"text": "a", "n": 1.0, "t": None, "m": 1}
    assert (second["text"], second["n"], second["m"]) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (5, "prompts: 5 holds no rows"),
        (b"text", "holds no rows"),
        ({"prompt": "a"}, "one dict, not a list"),
        (datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}), r'several splits: train .*data\["train"\]'),
    ],
)
def test_what_holds_no_rows_is_said(data: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        rows_given(data, "prompts")


def test_a_name_is_not_rows() -> None:
    assert not any(map(is_given, ("pairs.jsonl", Path("pairs.jsonl"), None)))
