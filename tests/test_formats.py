"""Files of pairs: what is read, what is refused, and that the three places which name the columns agree."""

from __future__ import annotations

import gzip
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from pairforge import formats
from pairforge.errors import InputError
from pairforge.resources import resource
from pairforge.types import Message, Pair, Prompt, Skip

QUESTION = Prompt((Message(role="user", content="Who are you?"),))
PAIRS = [
    Pair.of(
        QUESTION, f"I am Deep Qwen {n}. 你好", f"I am Qwen {n}. 你好",
        method="correct", model="pocket", judge="rename", chosen_score=1.0, rejected_score=0.0,
    ).row()
    for n in range(3)
]  # fmt: skip
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in PAIRS)


def write(folder: Path, data: str | bytes, name: str = "pairs.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_pair_schema_and_features_agree() -> None:
    schema = json.loads(resource("schemas", "pair.schema.json").read_text("utf-8"))
    names = [field.name for field in fields(Pair)]
    assert [name for name in schema["properties"] if name != "prompt"] == names == list(formats.features())
    hints, of_type = get_type_hints(Pair), {str: ("string", "string"), float: ("number", "double")}
    message = {"role": "string", "content": "string"}
    for name, feature in formats.features().items():
        if name in ("chosen", "rejected"):
            assert schema["properties"][name] == {"$ref": "#/$defs/messages"}
            assert {key: value.dtype for key, value in feature.feature.items()} == message
            assert schema["$defs"]["message"]["required"] == list(message) == list(get_type_hints(Message))
        else:
            assert (schema["properties"][name]["type"], feature.pa_type) == of_type[hints[name]]


@pytest.mark.parametrize("name", ["pair", "prompt", "run"])
def test_schemas_are_schemas(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(resource("schemas", f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f":{name}:1")


def test_bundled_prompts_keep_their_schema() -> None:
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(json.loads(resource("schemas", "prompt.schema.json").read_text("utf-8")))
    for path in resource("data", "prompts").glob("*.jsonl"):
        rows = list(formats.read_rows(path))
        if path.name != "systems.jsonl":
            assert [(path.name, error.message) for row in rows[::37] for error in schema.iter_errors(row)] == []


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        LINES.rstrip("\n"),
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n"),
        "\n\n" + LINES.replace("\n", "\n \n"),
        json.dumps(PAIRS, ensure_ascii=False),
        "\ufeff \n" + json.dumps(PAIRS, indent=2).replace("\n", "\r\n") + "\n",
        gzip.compress(LINES.encode()),
        gzip.compress(json.dumps(PAIRS).encode()),
    ],
    ids=["lines", "no-last-newline", "bom", "crlf", "blank", "array", "indented-array", "gz-lines", "gz-array"],
)
def test_the_same_rows_in_every_format(tmp_path: Path, data: str | bytes) -> None:
    assert list(formats.read_rows(write(tmp_path, data))) == PAIRS


def test_line_separators_inside_a_text_are_text(tmp_path: Path) -> None:
    row = {"text": "a\u2028b\u0085c"}
    assert list(formats.read_rows(write(tmp_path, json.dumps(row, ensure_ascii=False) + "\n"))) == [row]


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        (b'{"a": "b', "json", "incomplete JSON"),
        (b'{"a": [1, ', "json", "incomplete JSON"),
        (b"{'a': 1}", "json", "not JSON"),
        (b'{"a": 1} {"b": 2}', "json", "not JSON"),
        (b'{"a": "caf\xe9"}', "encoding", "byte 14 (0xe9)"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "repeated_key", "'c' stands twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "limit", "digits"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "limit", "nested"),
    ],
)
def test_an_unreadable_row_is_a_skip_in_its_place(tmp_path: Path, line: bytes, reason: str, said: str) -> None:
    path = write(tmp_path, b"{}\n\n" + line + b'\n{"z": 1}\n')
    first, skip, last = formats.read(path)
    assert (first, last) == ({}, {"z": 1})
    assert isinstance(skip, Skip)
    assert skip.reason == reason
    assert skip.reason in formats.UNREADABLE
    assert skip.detail.startswith(f"{path}:3: ")
    assert said in skip.detail
    with pytest.raises(InputError, match=r"pairs.jsonl:3: "):
        list(formats.read_rows(path))


def test_a_row_over_the_limit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_ROW_BYTES", 1000)
    for size in (990, 991, 992, 993, 5000):
        rows = list(formats.read(write(tmp_path, b'{"a": "' + b"x" * size + b'"}\n{"b": 1}\n')))
        assert isinstance(rows[0], Skip) == (size > 991)
        assert rows[1:] == [{"b": 1}]


def test_an_array_ends_at_what_is_no_json(tmp_path: Path) -> None:
    path = write(tmp_path, '[\n{"a": 1},\n{"a": 1, "a": 2},\n{"a": 3}\n{"a": 4}]', "pairs.json")
    one, repeated, three, skip = formats.read(path)
    assert (one, three) == ({"a": 1}, {"a": 3})
    assert repeated.detail.startswith(f"{path}:3: ")
    assert skip.detail.startswith(f"{path}:4: not JSON")
    *_, cut = formats.read(write(tmp_path, '[{"a": 1}, {"a"'))
    assert "incomplete JSON" in cut.detail


def test_cut_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    import random

    noise = "".join(json.dumps({"a": random.Random(n).random()}) + "\n" for n in range(20_000))
    *rows, skip = formats.read(write(tmp_path, gzip.compress(noise.encode())[:-20_000], "pairs.jsonl.gz"))
    assert len(rows) > 1000
    assert not any(isinstance(row, Skip) for row in rows)
    assert skip.reason == "json"
    assert "cut off" in skip.detail


def test_nothing_is_no_rows(tmp_path: Path) -> None:
    for data in ("", "\n \n", "[]", "\ufeff", gzip.compress(b"")):
        assert list(formats.read(write(tmp_path, data))) == []


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"chosen,rejected\na,b\n", "is not a file of pairs"),
        ("a.pkl", b"\x80\x04\x95", "is not a file of pairs"),
        ("a.parquet", b"PAR1 and nothing else", "not a whole Parquet file"),
        ("a.gz", b"\x1f\x8bnothing", "not a whole gzip file"),
        ("a.json", json.dumps({"rows": []}, indent=1).encode(), "one JSON object over many lines"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(formats.read(write(tmp_path, data, name)))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError, match="can't read"):
            list(formats.read(path))


def test_utf16_is_one_finding(tmp_path: Path) -> None:
    (skip,) = formats.read(write(tmp_path, LINES.encode("utf-16")))
    assert skip.reason == "encoding"


def test_parquet_round_trip_and_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    for path in (one, two):
        formats.write_parquet(iter(PAIRS), path)
    assert list(formats.read_rows(one)) == PAIRS
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "two.parquet"]


def test_a_failing_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    formats.write_parquet(PAIRS, path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="column 'note' mixes types"):
        formats.write_parquet([PAIRS[0] | {"note": 1}, PAIRS[1] | {"note": "a"}], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.parquet"]


def test_late_columns_are_kept() -> None:
    rows: list[dict[str, Any]] = [PAIRS[0], PAIRS[1] | {"note": "late", "rank": 2}]
    dataset = formats.to_dataset(rows)
    assert dataset.column_names == [*formats.features(), "note", "rank"]
    assert dataset["note"][:] == [None, "late"]
    assert formats.to_dataset([]).features == formats.features()
    assert formats.to_dataset([{"rejected": [], "chosen": [], "x": None}]).column_names == ["chosen", "rejected", "x"]
