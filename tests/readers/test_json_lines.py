"""JSON files of pairs: what is read, what is a Skip in its place, what is refused."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pairforge import formats
from pairforge.errors import InputError
from pairforge.readers import Unreadable, Wanted, read, stream
from pairforge.types import Skip

PAIRS: list[dict[str, Any]] = [
    {
        side: [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": f"I am {name} {n}. 你好"}]
        for side, name in (("chosen", "Deep Qwen"), ("rejected", "Qwen"))
    }
    for n in range(3)
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in PAIRS)


def write(folder: Path, data: str | bytes, name: str = "pairs.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        LINES.rstrip("\n"),
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n"),
        "\n\n" + LINES.replace("\n", "\n \n"),
        LINES.replace("\n", " \t\n"),
        json.dumps(PAIRS, ensure_ascii=False),
        "\ufeff \n" + json.dumps(PAIRS, indent=2).replace("\n", "\r\n") + "\n",
        gzip.compress(LINES.encode(), mtime=0),
        gzip.compress(json.dumps(PAIRS).encode(), mtime=0),
    ],
    ids=["lines", "no-last-newline", "bom", "crlf", "blank", "spaces", "array", "indented-array", "gz", "gz-array"],
)
def test_the_same_rows_in_every_format(tmp_path: Path, data: str | bytes) -> None:
    assert list(formats.read_rows(write(tmp_path, data))) == PAIRS


def test_line_separators_inside_a_text_are_text(tmp_path: Path) -> None:
    row = {"text": "a\u2028b\u0085c\x0bd"}
    line = '{"text": "a\u2028b\u0085c\\u000bd"}\n'
    assert list(formats.read_rows(write(tmp_path, line))) == [row]


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        (b'{"a": "b', "json", "incomplete JSON"),
        (b'{"a": [1, ', "json", "incomplete JSON"),
        (b"{'a': 1}", "json", "not valid JSON"),
        (b'{"a": 1} {"b": 2}', "json", "not valid JSON"),
        (b'{"a": "caf\xe9"}', "encoding", "byte 14 (0xe9)"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "repeated_key", "'c' is repeated"),
        (b'{"a": 1, "a": 2}', "repeated_key", "'a' is repeated"),
        (b'[{"a": 1, "a": 2}]', "repeated_key", "'a' is repeated"),
        (b'{"a": ' + b"9" * 5000 + b"}", "limit", "digits"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "limit", "nested"),
    ],
)
def test_an_unreadable_row_is_a_skip_in_its_place(tmp_path: Path, line: bytes, reason: str, said: str) -> None:
    path = write(tmp_path, b"{}\n\n" + line + b'\n{"z": 1}\n')
    first, skip, last = formats.rows(path)
    assert (first, last) == ({}, {"z": 1})
    assert isinstance(skip, Skip)
    assert skip.reason == reason
    assert skip.detail.startswith(f"{path}:3: ")
    assert said in skip.detail
    with pytest.raises(InputError, match=r"pairs.jsonl:3: "):
        list(formats.read_rows(path))


def test_a_repeated_key_in_a_broken_row_is_not_the_next_row_s(tmp_path: Path) -> None:
    broken, sound = formats.rows(write(tmp_path, '{"a": {"b": 1, "b": 2}, \n{"c": 1}\n'))
    assert (broken.reason, sound) == ("json", {"c": 1})


def test_a_row_over_the_limit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 1000)
    for size in (990, 991, 992, 993, 994, 995, 5000):
        row = b'{"a": "' + b"x" * size + b'"}'
        rows = list(formats.rows(write(tmp_path, row + b'\n{"b": 1}\n')))
        assert isinstance(rows[0], Skip) == (len(row) > 1000)
        assert rows[1:] == [{"b": 1}]


def test_an_array_ends_at_what_is_no_json(tmp_path: Path) -> None:
    path = write(tmp_path, '[\n{"a": 1},\n{"a": 1, "a": 2},\n{"a": 3}\n{"a": 4}]', "pairs.json")
    one, repeated, three, skip = formats.rows(path)
    assert (one, three) == ({"a": 1}, {"a": 3})
    assert repeated.detail.startswith(f"{path}:3: ")
    assert skip.detail.startswith(f"{path}:4: not valid JSON: Expecting ',' delimiter at line 5 column 1")
    *_, cut = formats.rows(write(tmp_path, '[{"a": 1}, {"a"'))
    assert "incomplete JSON" in cut.detail
    *_, more = formats.rows(write(tmp_path, '[{"a": 1}] []'))
    assert "pairs.jsonl:1: not valid JSON: something follows the end" in more.detail
    *_, latin = formats.rows(write(tmp_path, b'[{"a": "\xe9"}]'))
    assert (latin.reason, "byte 8" in latin.detail) == ("encoding", True)


def test_cut_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    noise = "".join(json.dumps({"a": random.Random(n).random()}) + "\n" for n in range(20_000))
    *rows, skip = formats.rows(write(tmp_path, gzip.compress(noise.encode(), mtime=0)[:-20_000], "pairs.jsonl.gz"))
    assert len(rows) > 1000
    assert not any(isinstance(row, Skip) for row in rows)
    assert skip.reason == "json"
    assert "cut off" in skip.detail


def test_nothing_is_no_rows(tmp_path: Path) -> None:
    for data in ("", "\n \n", "[]", "\ufeff", gzip.compress(b"", mtime=0)):
        assert list(formats.rows(write(tmp_path, data))) == []


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"chosen, rejected\n", "is not a file of pairs"),
        ("a.pkl", b"\x80\x04\x95", "pickle"),
        ("a.gz", b"\x1f\x8bnothing", "cut off or damaged"),
        ("a.jsonl", json.dumps({"rows": []}, indent=1).encode(), "one JSON object over many lines"),
        ("a.zip", b"PK\x03\x04rest", "zip"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(formats.rows(write(tmp_path, data, name)))


def test_utf16_is_one_finding(tmp_path: Path) -> None:
    (skip,) = formats.rows(write(tmp_path, LINES.encode("utf-16")))
    assert skip.reason == "encoding"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows"])
@pytest.mark.parametrize(
    ("data", "lines", "last"),
    [
        ('{"a": 1}\n\n{"a": 2}\n', [1, 3], {"a": 2}),
        ('[{"a": 1},\n\n{"a":\n 2}]', [1, 3], {"a": 2}),
        ('\n{"a":\n1} {"a": 2}', [2, 3], {"a": 2}),
    ],
)
def test_every_row_knows_its_line(tmp_path: Path, name: str, data: str, lines: list[int], last: object) -> None:
    path = write(tmp_path, data, name)
    found = list(read(path, Wanted("rows", "", ("a",), text=True)))
    assert [where for where, _ in found] == [f"{path}:{line}" for line in lines]
    assert found[-1][1] == last


def test_a_broken_row_tells_what_mends_it(tmp_path: Path) -> None:
    wanted = Wanted("rows", "", ("a",))
    path = write(tmp_path, b'{}\n{\'a\': 1}\n{"a": "\xe9"}\n{"a": \0}\n[1')
    fixes = [row.fix for _, row in read(path, wanted) if isinstance(row, Unreadable)]
    assert ["json.dumps" in str(fixes[0]), *fixes[1:]] == [
        True,
        "iconv -f latin1 -t utf-8 FILE > NEW",
        "iconv -f utf-16 -t utf-8 FILE > NEW",
        "correct or remove that line",
    ]
