"""CSV, Parquet and Arrow: cells and batches to rows."""

from __future__ import annotations

import array
import gzip
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import ipc, parquet

from pairforge import formats
from pairforge.errors import InputError
from pairforge.prompts import read_prompts
from pairforge.readers import stream
from pairforge.types import Skip

ANSWERS = [{"role": "assistant", "content": "2"}]


def write(folder: Path, data: str | bytes, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_cells_are_texts_and_json_is_what_it_says(tmp_path: Path) -> None:
    text = (
        "\ufeffprompt,chosen,rejected,chosen_score,confidence,note\r\n"
        '"1 + 1,\nwhat is it?","[{""role"": ""assistant"", ""content"": ""2""}]","[2] or 3",1.5,0.75,\r\n'
        "\r\n"
        "short,a,b\r\n"
    )
    first, second = formats.rows(write(tmp_path, text))
    assert first == {
        "prompt": "1 + 1,\nwhat is it?", "chosen": ANSWERS, "rejected": "[2] or 3", "chosen_score": 1.5,
        "confidence": 0.75, "note": "",
    }  # fmt: skip
    assert second == {"prompt": "short", "chosen": "a", "rejected": "b"}


def test_tsv_and_gzip_and_a_table_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}
    tsv = "prompt\tchosen\trejected\nq\ta\tb\n"
    assert list(formats.rows(write(tmp_path, tsv, "pairs.tsv"))) == [row]
    assert list(formats.rows(write(tmp_path, gzip.compress(tsv.encode()), "pairs.tsv.gz"))) == [row]
    assert list(formats.rows(write(tmp_path, tsv, "pairs"))) == [row]
    assert list(formats.rows(write(tmp_path, tsv.replace("\t", ","), "pairs"))) == [row]


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("chosen,rejected\na,b\nc,d,e\n", "json", ":3: 3 cells under 2 names"),
        ('chosen,rejected\na,b\n"c" d,e\n', "json", ":3: not valid CSV"),
        ('chosen,rejected\na,b\n"c,d\n', "json", ":3: not valid CSV"),
        ("chosen,rejected\na,b\n\"[{'role': 'user'}]\",c\n", "json", "repr of a Python object"),
        (b"chosen,rejected\na,b\nc,caf\xe9\n", "encoding", "0xe9"),
        (f"chosen,rejected\na,b\nc,{'x' * 300}\n", "limit", ":3: "),
    ],
)
def test_an_unreadable_row_is_a_skip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, reason: str, said: str
) -> None:
    import csv

    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 200)
    before = csv.field_size_limit(100)
    try:
        *rows, skip = formats.rows(write(tmp_path, text))
    finally:
        csv.field_size_limit(before)
    assert rows in ([{"chosen": "a", "rejected": "b"}], [])
    assert isinstance(skip, Skip)
    assert (skip.reason, said in skip.detail) == (reason, True), skip.detail


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'chosen' is repeated"):
        list(formats.rows(write(tmp_path, "chosen,rejected,chosen\na,b,c\n")))


def rows_of_arrow() -> list[dict[str, Any]]:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "name": "Bob"}]
    return [{"chosen": turns, "rejected": turns, "note": "n"}, {"chosen": turns[:1], "rejected": turns}]


def test_nulls_of_arrow_are_missing(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist(rows_of_arrow())
    parquet.write_table(table, tmp_path / "a.parquet")
    assert list(formats.rows(tmp_path / "a.parquet")) == rows_of_arrow()
    packed = write(tmp_path, gzip.compress((tmp_path / "a.parquet").read_bytes()), "a.parquet.gz")
    assert list(formats.rows(packed)) == rows_of_arrow()


@pytest.mark.parametrize("open_", [ipc.new_file, ipc.new_stream])
def test_arrow_files_and_streams(tmp_path: Path, open_: Any) -> None:
    table = pyarrow.Table.from_pylist(rows_of_arrow() * 800)
    with open_(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert list(formats.rows(tmp_path / "a.arrow")) == rows_of_arrow() * 800


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_separates_shows_in_the_first_line(tmp_path: Path, separator: str) -> None:
    text = '"chosen",rejected\r"a\rb",c\n'.replace(",", separator)  # \r alone: line ends of old
    for name in ("pairs.csv", "pairs"):
        assert list(formats.rows(write(tmp_path, text, name))) == [{"chosen": "a\rb", "rejected": "c"}]


def test_a_cut_table_keeps_what_came_before(tmp_path: Path) -> None:
    text = "chosen,rejected\n" + "".join(f"{n * 7919 % 10007},b\n" for n in range(20_000))
    *rows, skip = formats.rows(write(tmp_path, gzip.compress(text.encode())[:-8000], "pairs.csv.gz"))
    assert len(rows) > 1000 and rows[1] == {"chosen": "7919", "rejected": "b"}
    assert skip.reason == "json" and f"pairs.csv.gz:{len(rows) + 2}: is cut off" in skip.detail


def test_the_first_bytes_count_more_than_the_name(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow"):
        assert list(formats.rows(write(tmp_path, '{"chosen": "a"}', name))) == [{"chosen": "a"}]
        with pytest.raises(InputError, match="not a whole"):
            list(formats.rows(write(tmp_path, "Hi", name)))


def test_rows_that_hold_no_bytes_are_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FREE_BYTES", 1000)
    for kind, open_ in (("file", ipc.new_file), ("stream", ipc.new_stream)):
        with open_(str(tmp_path / kind), (table := pyarrow.table({"chosen": pyarrow.nulls(10**6)})).schema) as writer:
            writer.write_table(table)
        with pytest.raises(InputError, match="unpacks to more than"):
            list(formats.rows(tmp_path / kind))


@pytest.mark.parametrize("open_", [ipc.new_file, ipc.new_stream])
def test_offsets_that_lead_astray_are_not_followed(tmp_path: Path, open_: Any) -> None:
    offsets = pyarrow.py_buffer(array.array("i", [0, 2**30, 3]).tobytes())
    texts = pyarrow.StringArray.from_buffers(2, offsets, pyarrow.py_buffer(b"abc"))
    with open_(str(tmp_path / "a.arrow"), (batch := pyarrow.record_batch({"chosen": texts})).schema) as writer:
        writer.write_batch(batch)
    for read in (formats.rows, read_prompts):
        with pytest.raises(InputError, match="not a whole Arrow file"):
            list(read(tmp_path / "a.arrow"))


def test_broken_and_swollen_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="not a whole Parquet file"):
        list(formats.rows(write(tmp_path, b"PAR1 and nothing else", "a.parquet")))
    with pytest.raises(InputError, match="not a whole Arrow file"):
        list(formats.rows(write(tmp_path, b"ARROW1 and nothing else", "a.arrow")))
    with pytest.raises(InputError, match="not a whole Arrow file"):
        list(formats.rows(write(tmp_path, b"\xff\xff\xff\xff\x10\x00\x00\x00rest of it", "a.arrow")))
    monkeypatch.setattr(stream, "FREE_BYTES", 1000)
    table = pyarrow.table({"chosen": ["a" * 1000] * 2000})
    parquet.write_table(table, tmp_path / "bomb.parquet")
    with pytest.raises(InputError, match="unpacks to"):
        list(formats.rows(tmp_path / "bomb.parquet"))
