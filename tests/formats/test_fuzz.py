"""Whatever the bytes: rows, Skips, or one InputError; nothing else."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from pairforge import formats
from pairforge.conversation import MESSAGE_ROLES
from pairforge.errors import InputError
from pairforge.formats import TARGETS
from pairforge.thoughts import THOUGHT_KEYS
from pairforge.types import Skip

SUFFIXES = [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".jsonl.gz", ".jsonl.zst", ".txt", ""]
KEYS = [
    "prompt", "chosen", "rejected", "role", "content", "from", "value", "type", "text", "messages", "label", "output",
    "rejected_response", "rejected_messages", "chosen_messages", "conversations", "instruction", "input", "history",
    "system", "question", "query", "response", "completion", "tool_calls", "response_a", "response_b", "winner",
    "responses", "scores", "rank", "replies", "context", "positive", "negative", "function", "name", "arguments",
]  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["user", "assistant", "human", "gpt", "text", "\n\nHuman: a\n\nAssistant: b", "\ud800"])
)  # fmt: skip
MESSAGE_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name", *THOUGHT_KEYS}
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
)


def sound() -> list[bytes]:
    """Whole files, to be damaged."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    rows = [{"chosen": turns, "rejected": turns, "n": number} for number in range(3)]
    table, lines = pyarrow.Table.from_pylist(rows), "".join(json.dumps(row) + "\n" for row in rows).encode()
    made = [lines, json.dumps(rows).encode(), gzip.compress(lines), b"prompt,chosen,rejected\na,b,c\n"]
    for write in (
        lambda sink: parquet.write_table(table, sink),
        lambda sink: ipc.new_stream(sink, table.schema).write_table(table),
    ):
        sink = pyarrow.BufferOutputStream()
        write(sink)
        made.append(sink.getvalue().to_pybytes())
    return made


SOUND = sound()


def read(data: bytes, suffix: str) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"pairs{suffix}")
        path.write_bytes(data)
        try:
            shape, rows = formats.recognise(formats.rows(path))
            return [*formats.presented(rows), *(formats.as_pairs(formats.rows(path), shape, Counter()))]
        except InputError as error:
            if "\n" in str(error):
                raise AssertionError("an error of more than one line") from error
            return []


@given(st.binary(max_size=200), st.sampled_from(SUFFIXES))
def test_any_bytes(data: bytes, suffix: str) -> None:
    read(data, suffix)


@given(st.sampled_from(SOUND), st.sampled_from(SUFFIXES), st.data())
def test_damaged_files(data: bytes, suffix: str, more: st.DataObject) -> None:
    at = more.draw(st.integers(0, len(data) - 1))
    read(data[:at] + more.draw(st.binary(max_size=3)) + data[at + more.draw(st.integers(0, 3)) :], suffix)


@given(st.lists(values, max_size=4))
def test_any_json(rows: list[Any]) -> None:
    lines = "\n".join(map(json.dumps, rows)).encode()
    for made in (read(json.dumps(rows).encode(), ".json"), read(lines, ".jsonl")):
        for row in made:
            assert not isinstance(row, Skip) or row.detail


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), values), min_size=1, max_size=4))
def test_any_row_in_any_shape(rows: list[dict[str, Any]]) -> None:
    for shape in formats.SHAPES:
        for pair in formats.as_pairs(rows, shape, Counter()):
            if isinstance(pair, dict):
                for side in ("chosen", "rejected"):
                    assert pair[side]
                    assert all(set(turn) <= MESSAGE_KEYS and turn["role"] in MESSAGE_ROLES for turn in pair[side])
                for target in TARGETS.values():
                    assert isinstance(target.rows(pair, set()), (list, Skip))
