"""Prompts are read from the shapes people have them in, and a broken file gets one line."""

import errno
import gzip
import json
from datetime import date
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from pairforge.errors import InputError
from pairforge.prompts import BUNDLED, bundled, read_prompts
from pairforge.types import Prompt, Skip


def questions(path: Path) -> list[str]:
    return [prompt.question for prompt in read_prompts(path) if isinstance(prompt, Prompt)]


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.txt", "Who are you?\n\n你是谁？\r\n", ["Who are you?", "你是谁？"]),
        ("a.jsonl", '{"prompt": "Hi"}\n{"prompt": [{"role": "user", "content": "Ho"}]}\n', ["Hi", "Ho"]),
        (
            "a.json",
            '[{"conversations": [{"from": "gpt", "value": "B"}, {"from": "human", "value": "C"}]}]',
            ["C"],
        ),
        (
            "a.json",
            '[{"instruction": "Sum:", "input": "1 2", "output": "3"}, {"instruction": "Hi", "input": ""}]',
            ["Sum:\n1 2", "Hi"],
        ),
        (
            "b.jsonl",
            '\ufeff{"messages": [{"role": "user", "content": "A\u2028B"}, {"role": "assistant", "content": "C"}]}',
            ["A\u2028B"],
        ),
        ("a.jsonl", '[{"prompt": "Hi"},\n"Ho"]', ["Hi", "Ho"]),
        ("a.jsonl", '"Hi \\u00e9"\n{"question": "Ho"}', ["Hi é", "Ho"]),
        ("a.txt", '"Hi"\n"To be" is by whom?\n"x" and "y"', ["Hi", '"To be" is by whom?', '"x" and "y"']),
        ("a.jsonl", '{"instruction": "Add", "input": 5}\n{"instruction": "Add", "input": 0}', ["Add\n5", "Add\n0"]),
        ("a.csv", 'id,question\r\n1,"Hi,\nthere"\r\n\r\n2,Ho\r\n', ["Hi,\nthere", "Ho"]),
        ("a.tsv", "instruction\tinput\nAdd\t5\nHi\n", ["Add\n5", "Hi"]),
    ],
)
def test_shapes(tmp_path: Path, name: str, text: str, wanted: list[str]) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert questions(tmp_path / name) == wanted
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert questions(packed) == wanted


def test_the_system_message_comes_along_and_stands_in_every_context(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(json.dumps({"system": "You are Nova.", "instruction": "Who?", "task": "x"}))
    [prompt] = read_prompts(file)
    assert isinstance(prompt, Prompt)
    assert prompt.system == "You are Nova." and prompt.columns == {"task": "x"}
    assert prompt.in_context("Other.") == prompt


def test_a_row_without_a_question_is_a_skip(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(
        '{"prompt": "I am {{NAME}}"}\n{"messages": [{"role": "assistant", "content": "x"}]}\n{"prompt": "Hi"}'
    )
    assert [row.reason if isinstance(row, Skip) else "" for row in read_prompts(file)] == ["placeholder", "empty", ""]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no prompts"),
        (b'{"prompt": "a"}\n{"prompt": ', ":2: not valid JSON"),
        (b'[{"prompt": 1}]', "unknown shape"),
        (b'{"answer": "a"}', "found answer"),
        (b"caf\xe9", "not UTF-8 at byte 3"),
        (b'{"conversations": [{"who": "me"}]}', "turn without role"),
    ],
)
def test_a_broken_file_gets_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_prompts(file)
    assert "\n" not in str(caught.value) and "p.json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("p.jsonl", b'[{"prompt": "a"}]\n[{"prompt": "b"}]', ":2: not valid JSON: Extra data"),
        ("p.txt", b"[1] Who?\n[2] Why?", ":1: not valid JSON"),
        ("p.jsonl", b'prompt": "a"}\n{"prompt": "b"}', ":1: not valid JSON"),
        ("p.jsonl", b'{"messages": "a"}', "found messages"),
        ("p.jsonl", b'{"instruction": "a", "input": [1]}', ":1: input holds a list"),
        ("p.csv", b"a;b\n1;2\n", r":1: no column prompt, .*found \['a;b'\]"),
        ("p.csv", b"\n", "no prompts"),
        ("p.csv", b'id,prompt\n1,"a\nb"\n2,Hi, you\n', ":4: 3 cells under 2 names"),
        ("p.csv", b'prompt\n"Hi\nHo\n', ":2: not valid CSV"),
        ("p.txt", "Hi".encode("utf-16"), "not UTF-8 at byte 0 .*-f utf-16"),
        ("p.gz", gzip.compress(b"Who are you?\n" * 99)[:-12], "not a whole gzip file"),
        ("p.gz", gzip.compress(b"Who are you?\n")[:10] + b"\xff" * 20, "not a whole gzip file"),
        ("p.parquet", b"PAR1 but no more", "not a whole Parquet file"),
        ("p.parquet", b"PAR1\xff\xff\xff\xff\x04\x00\x00\x00PAR1", "not a whole Parquet file: .*thrift"),
    ],
)
def test_a_file_of_another_shape_gets_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_prompts(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_parquet_is_read_whatever_its_columns_hold(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    table = pyarrow.table({"messages": [turns, turns], "day": [date(2026, 1, 2), None], "reference": [["2"], None]})
    parquet.write_table(table, tmp_path / "p.parquet")
    first, second = read_prompts(tmp_path / "p.parquet")
    assert isinstance(first, Prompt) and first.question == "Hi" and isinstance(second, Prompt)
    assert first.columns == {"day": "2026-01-02", "reference": ["2"]} and json.dumps(second.columns)


def test_half_a_surrogate_pair_is_a_skip(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "a \\ud800"}\n{"system": "\\udfff", "prompt": "b"}\n{"prompt": "\\ud83d\\ude00"}')
    first, second, third = read_prompts(file)
    assert isinstance(first, Skip) and first.reason == "encoding" and f"{file}:1: " in first.detail
    assert isinstance(second, Skip) and f"{file}:2: " in second.detail
    assert isinstance(third, Prompt) and third.question == "😀"


@pytest.mark.parametrize(
    ("name", "says"),
    [("x" * 300, "File name too long"), ("a\0b", "null"), ("file/below", "Not a directory"), (".", "is a folder")],
)
def test_a_path_that_cannot_be_opened_gets_one_line(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=says):
        read_prompts(tmp_path / name)


def test_a_folder_that_may_not_be_entered_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may enter any folder, so the refusal is played.
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"mine\.jsonl can't be read: Permission denied"):
        read_prompts("closed/mine.jsonl")


def test_a_missing_file_names_what_there_is() -> None:
    with pytest.raises(InputError, match=r"does not exist \(.*identity\.train"):
        read_prompts("nowhere.jsonl")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_read(name: str) -> None:
    prompts = bundled(name)
    assert len({prompt.id for prompt in prompts}) == len(prompts) > 200
