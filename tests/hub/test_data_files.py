"""The Parquet files of a config: cut into shards, the digest of the rows, and what is counted on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from datasets import Features
from support import pair

from pairforge.formats import to_dataset
from pairforge.hub import data_files
from pairforge.hub.data_files import features_of, read_back, write_config
from pairforge.hub.manifest import DataConfig, RowsDigest


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    return [pair("I am Athene.", "I am Qwen.", f"Who, {index}?", id=f"{index}", **more) for index in range(count)]


def back(config: DataConfig, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, split in config.splits.items():
        for file in split.files:
            yield from ((name, row) for row in read_back(folder / file.path))


def test_the_digest_is_that_of_the_rows_that_come_back(tmp_path: Path) -> None:
    made = write_config(lambda: rows(600, model="/home/ann/m", more=[1.5]), "pairs", tmp_path / "data")
    digest = RowsDigest()
    for split, row in back(made, tmp_path):
        digest.add(row, split)
    assert digest.hexdigest() == made.digest
    assert [model["name"] for model in made.models] == ["m"]
    assert made.rows == 600 and len(made.examples) == 3


@pytest.mark.parametrize("plain", [True, False])
def test_files_stay_below_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    given = rows(900, **({} if plain else {"late": 1}))
    whole = write_config(lambda: given, "pairs", tmp_path / "whole")
    monkeypatch.setattr(data_files, "_ROW_GROUP", 1)
    monkeypatch.setattr(data_files, "_SHARD", 1)
    made = write_config(lambda: given, "pairs", tmp_path / "data")
    assert [file.path for file in made.files] == [f"data/train-{n:05d}-of-00004.parquet" for n in range(4)]
    assert [file.rows for file in made.files] == [256, 256, 256, 132]
    assert made.digest == whole.digest
    assert [row["id"] for _, row in back(made, tmp_path)] == [row["id"] for row in given]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [Path(file.path).name for file in made.files]


def test_rows_that_change_the_table_late_are_written_once(tmp_path: Path) -> None:
    given = [*rows(500), *rows(3, late="x"), *rows(300)]
    asked = []

    def source() -> Iterator[dict[str, Any]]:
        asked.append(1)
        yield from given

    made = write_config(source, "pairs", tmp_path / "data")
    assert len(asked) == 2 and made.rows == 803
    assert sum(row["late"] is not None for _, row in back(made, tmp_path)) == 3


def test_a_digest_knows_no_order_of_keys_and_no_nulls() -> None:
    one, other = RowsDigest(), RowsDigest()
    one.add({"a": 1, "b": {"c": None, "d": "null"}})
    other.add({"b": {"d": "null"}, "a": 1, "e": None})
    assert one.hexdigest() == other.hexdigest()
    other.add({"a": 2}, "test")
    assert one.hexdigest() != other.hexdigest()


def test_pages_are_cut_by_content(tmp_path: Path) -> None:
    made = write_config(lambda: rows(5), "pairs", tmp_path / "data")
    [file] = made.files
    column = pyarrow.parquet.read_metadata(tmp_path / file.path).row_group(0).column(0)
    assert column.has_offset_index and column.has_column_index


def test_columns_are_said_as_datasets_says_them() -> None:
    row = pair("a", "b", n=1, flag=True, names=["x"], deep=[[1]], inner={"a": [{"b": 1.5}]}, blob=b"x")
    data = to_dataset([row])
    assert Features._from_yaml_list([*features_of(data.features.arrow_schema)]) == data.features
