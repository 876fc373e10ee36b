"""Prompts are read from the shapes people have them in, and a broken file gets one line."""

import gzip
import io
import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pairforge.errors import InputError
from pairforge.prompts import BUNDLED, NAMES, bundled, read_prompts, systems
from pairforge.readers import stream
from pairforge.types import Prompt, Skip

HH = "\n\nHuman: Hi\n\nAssistant: Human: is a word\n\nHuman: Ho\n\nAssistant: "


def questions(path: Path | str) -> list[str]:
    return [prompt.question for prompt in read_prompts(path) if isinstance(prompt, Prompt)]


def talk(*texts: str, roles: tuple[str, str] = ("user", "assistant")) -> list[dict[str, str]]:
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def read_row(folder: Path, row: object, **how: Any) -> Prompt | Skip:
    (folder / "row.jsonl").write_text(json.dumps([row]), "utf-8")
    [prompt] = read_prompts(folder / "row.jsonl", **how)
    return prompt


def said(prompt: Prompt | Skip) -> list[tuple[str, str]]:
    assert isinstance(prompt, Prompt), prompt
    return [(message["role"], message["content"]) for message in prompt.messages]


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
    packed.write_bytes(gzip.compress(text.encode(), mtime=0))
    assert questions(packed) == wanted


def test_the_system_message_comes_along_and_stands_in_every_context(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(json.dumps({"system": "You are Nova.", "instruction": "Who?", "task": "x"}))
    [prompt] = read_prompts(file)
    assert isinstance(prompt, Prompt)
    assert prompt.system == "You are Nova." and prompt.columns == {"task": "x"}
    assert prompt.in_context("Other.") == prompt


@pytest.mark.parametrize(
    ("row", "last", "before"),
    [
        ("Hi", "Hi", []),
        ({"prompt": "Hi", "history": [["a", "b"]]}, "Hi", ["a", "b"]),
        ({"prompt": talk("a", "b", "Hi")}, "Hi", ["a", "b"]),
        ({"prompt": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, "Hi", []),
        ({"prompt": {"text": "Hi", "role": "prompter", "replies": [{"text": "b", "role": "assistant"}]}}, "Hi", []),
        (talk("a", "b", "Hi"), "Hi", ["a", "b"]),
        ({"messages": talk("a", "b", "Hi", "no")}, "Hi", ["a", "b"]),
        ({"messages": talk("Hi", "chosen"), "rejected_response": "no"}, "Hi", []),
        ({"messages": json.dumps(talk("Hi", "no"))}, "Hi", []),
        ({"messages": {"role": ["user", "assistant", "user"], "content": ["a", "b", "Hi"]}}, "Hi", ["a", "b"]),
        (
            {"messages": [*talk("Hi"), {"role": "assistant", "tool_calls": [1]}, {"role": "tool", "content": "x"}]},
            "Hi",
            [],
        ),
        ({"messages": [{"role": "user", "parts": [{"text": "Hi"}]}]}, "Hi", []),
        ({"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "b"}}, "Hi", []),
        ({"conversation": [{"speaker": "Human", "text": "Hi"}]}, "Hi", []),
        ({"turns": ["Hi", "Say that again."], "reference": ["x"]}, "Hi", []),
        ({"instruction": "Hi", "input": "", "output": ["x", "y"], "history": [["a", "b"]]}, "Hi", ["a", "b"]),
        ({"query": "Hi", "response": "x", "history": []}, "Hi", []),
        ({"Question ": "Hi", "Answer": "x"}, "Hi", []),
        ({"problem": "Hi", "solution": "x"}, "Hi", []),
        ({"input": "Hi", "output": "x"}, "Hi", []),
        ({"text": "Hi"}, "Hi", []),
        ({"text": "Hi", "role": "prompter", "message_id": "1"}, "Hi", []),
        ({"text": "### Human: a### Assistant: b### Human: Hi### Assistant: x"}, "Hi", ["a", "b"]),
        ({"prompt": "Human: Hi"}, "Human: Hi", []),
        ({"prompt": None, "question": "Hi"}, "Hi", []),
        ({"chosen": HH + "x", "rejected": HH + "y"}, "Ho", ["Hi", "Human: is a word"]),
        ({"chosen": talk("a", "b", "Hi", "x"), "rejected": talk("a", "b", "Hi", "y")}, "Hi", ["a", "b"]),
        ({"chosen": talk("Hi", "b", "no", "x"), "rejected": talk("Hi", "c", "other", "y")}, "Hi", []),
        ({"chosen_messages": talk("Hi", "x"), "rejected_messages": talk("Hi", "y")}, "Hi", []),
        ({"prompt": "Hi", "score": float("nan")}, "Hi", []),
    ],
)
def test_rows(tmp_path: Path, row: object, last: str, before: list[str]) -> None:
    assert said(read_row(tmp_path, row)) == [("user", last)]
    full = [(turn["role"], turn["content"]) for turn in talk(*before, last)]
    assert said(read_row(tmp_path, row, history="full")) == full


@pytest.mark.parametrize(
    ("row", "system"),
    [
        ({"system": "Be brief.", "question": "Hi"}, "Be brief."),
        ({"system_prompt": "Be brief.", "question": "Hi"}, "Be brief."),
        ({"system": "", "question": "Hi"}, None),
        ({"messages": [{"role": "developer", "content": "Be brief."}, *talk("Hi")]}, "Be brief."),
        ({"messages": [{"role": "system", "content": " "}, *talk("Hi")], "system": None}, None),
        ({"messages": [{"role": "system", "content": "Mine."}, *talk("Hi")], "system": "Yours."}, "Mine."),
    ],
)
@pytest.mark.parametrize("history", ["last", "full"])
def test_the_system_message_is_kept_once(tmp_path: Path, row: object, system: str | None, history: str) -> None:
    prompt = read_row(tmp_path, row, history=history)
    assert isinstance(prompt, Prompt) and prompt.system == system and len(prompt.messages) == 1 + (system is not None)


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        (talk("a", "b", roles=("user", "user")), "turn 1 is the user's, not the assistant's"),
        (talk("a", "b", roles=("assistant", "user")), "turn 0 is the assistant's, not the user's"),
        ([*talk("a", "b", "c", roles=("user", "tool"))], "turn 1 is the tool's"),
        (talk("a", " ", "c"), "turn 1, the assistant's, is empty"),
        ([*talk("a", "b"), {"role": "system", "content": "x"}, *talk("c")], "turn 2 is the system's"),
    ],
)
def test_a_history_out_of_order_is_a_skip(tmp_path: Path, turns: list[object], says: str) -> None:
    skip = read_row(tmp_path, {"messages": turns}, history="full")
    assert isinstance(skip, Skip) and skip.reason == "turns" and f"row.jsonl:1: {says}" in skip.detail
    assert isinstance(read_row(tmp_path, {"messages": turns}), Prompt)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "I am {{NAME}}"}, "placeholder"),
        ({"prompt": "Are you {{ author }}?"}, "placeholder"),
        ({"instruction": "Are you <NAME>?", "output": "Yes"}, "placeholder"),
        ({"prompt": "你是｛｛NAME｝｝吗？"}, "placeholder"),
        ({"system": "You are <AUTHOR>'s.", "question": "Hi"}, "placeholder"),
        ({"messages": talk("Hi")[:0]}, "empty"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "empty"),
        ({"messages": [{"role": "user", "content": None}]}, "empty"),
        ({"prompt": " "}, "empty"),
        ({"prompt": None}, "empty"),
        ({"text": "An answer.", "role": "assistant"}, "empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}, "not_text"),
        ({"messages": talk("What is on <image>?"), "images": ["a.png"]}, "not_text"),
        ({"prompt": "a \ud800"}, "encoding"),
        ({"system": "\udfff", "prompt": "b"}, "encoding"),
    ],
)
def test_a_row_that_holds_no_prompt_is_a_skip(tmp_path: Path, row: object, reason: str) -> None:
    skip = read_row(tmp_path, row)
    assert isinstance(skip, Skip) and skip.reason == reason and f"{tmp_path / 'row.jsonl'}:1: " in skip.detail


def test_only_what_is_asked_must_be_whole(tmp_path: Path) -> None:
    answers = {"instruction": "Who are you?", "output": "I am {{name}} by <AUTHOR>."}
    assert said(read_row(tmp_path, answers)) == [("user", "Who are you?")]
    seen = {"messages": [*talk("a"), {"role": "assistant", "content": [{"type": "image"}]}, *talk("Hi")]}
    assert said(read_row(tmp_path, seen)) == [("user", "Hi")]
    skip = read_row(tmp_path, seen, history="full")
    assert isinstance(skip, Skip) and skip.reason == "not_text" and "a part of type image" in skip.detail


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("p.json", b"", r"the file is empty \(0 bytes\)"),
        ("p.json", b"[]", "no prompts .*supported: text lines"),
        ("p.csv", b"\n", "no prompts"),
        ("p.json", b'{"prompt": "a"}\n{"prompt": ', ":2: incomplete JSON"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt": "b', ":2: incomplete JSON"),
        ("p.json", b'{"prompt": ', ":1: incomplete JSON"),
        ("p.json", b'[{"prompt": "a"},\n{"prompt": "b"', ":2: incomplete JSON"),
        ("p.json", b'[{"prompt": "a"},\n{"prompt": "b"} {}]', ":2: not valid JSON: Expecting ',' delimiter"),
        ("p.jsonl", b'[{"prompt": "a"}]\n[{"prompt": "b"}]', ":2: not valid JSON: something follows the end"),
        ("p.jsonl", b'prompt": "a"}\n{"prompt": "b"}', ":1: not valid JSON"),
        ("p.jsonl", b"{'prompt': 'a'}", r":1: not valid JSON: .* \(write it with json.dumps"),
        ("p.txt", b"[1] Who?\n[2] Why?", ":1: not valid JSON"),
        ("p.jsonl", b'{"prompt": "a"}\n{"prompt": "b", "prompt": "c"}', ":2: the key 'prompt' is repeated"),
        ("p.json", b'[{"prompt": "a"},\n', ":2: incomplete JSON"),
        ("p.csv", b"prompt,prompt\na,b", ":1: the column 'prompt' is repeated"),
        ("p.parquet", b"Hi", "not a whole Parquet file"),
        ("p.json", b'{"prompt": ' + b"[" * 100_000, ":1: nested too deeply"),
        ("p.json", b"[" * 100_000, ":1: nested too deeply"),
        ("p.jsonl", b'{"prompt": "a"}\n{"n": ' + b"1" * 5000 + b"}", ":2: a number of too many digits"),
        (
            "p.json",
            b'[{"prompt": 1}]',
            r":1: no prompt can be read from prompt \(supported: .*--columns prompt=NAME",
        ),
        ("p.json", b'{"answer": "a", "n\\n": 1}', ":1: no column of prompts among answer, n "),
        ("p.jsonl", b'{"prompt": "a"}\n3', ":2: 3 is not a prompt"),
        ("p.jsonl", b'{"chosen": "a", "rejected": "b"}', "no prompt can be read from chosen "),
        ("p.jsonl", b'{"messages": "a"}', "no prompt can be read from messages"),
        ("p.jsonl", b'{"conversations": [{"who": "me"}]}', ":1: a turn without role/content or from/value"),
        ("p.jsonl", b'{"instruction": "a", "input": [1]}', ":1: input holds a list"),
        ("p.csv", b"a,b\n1,2\n", ":2: no column of prompts among a, b .*--columns prompt=a"),
        ("p.csv", b'id,prompt\n1,"a\nb"\n2,Hi, you\n', ":4: 3 cells under 2 names"),
        ("p.csv", b'prompt\n"Hi\nHo\n', ":2: not valid CSV"),
        ("p.txt", b"Hi\ncaf\xe9", ":2: not UTF-8 at byte 6 .*-f latin1"),
        ("p.json", b'[{"prompt": "caf\xe9"}]', "not UTF-8 at byte 16"),
        ("p.json", b'\r\n{"prompt":\r\n"caf\xe9"}', "not UTF-8 at byte 18"),
        ("p.csv", b"prompt\ncaf\xe9", ":2: not UTF-8 at byte 10"),
        ("p.txt", "Hi".encode("utf-16"), ":1: not UTF-8 at byte 0 .*-f utf-16"),
        ("p.txt", "Hi".encode("utf-16-le"), ":1: a NUL at byte 1"),
        ("p.gz", gzip.compress(b"Who are you?\n" * 99, mtime=0)[:-12], "is cut off or damaged"),
        ("p.zip", b"PK\x03\x04", "is a zip archive"),
        ("p.pt", b"x", "is a pickle"),
        ("p.parquet", b"PAR1 but no more", "not a whole Parquet file"),
        ("p.parquet", b"PAR1\xff\xff\xff\xff\x04\x00\x00\x00PAR1", "not a whole Parquet file: .*thrift"),
        ("p.arrow", b"nothing", "not a whole Arrow file"),
        ("p.arrow", b"ARROW1 but no more", "not a whole Arrow file"),
    ],
)
def test_a_broken_file_gets_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_prompts(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.json", '\n[\n {"prompt": "{{x}}"},\n\n {"prompt":\n "{{x}}"}, {"prompt": "{{x}}"}]', [3, 5, 6]),
        ("a.jsonl", '\r\n{"prompt": "{{x}}"}\r\n\r\n{"prompt": "{{x}}"}\n{"prompt": "{{x}}"}', [2, 4, 5]),
        ("a.json", '{\n"prompt": "{{x}}"\n}\n{\n"prompt": "{{x}}"}\n{"prompt": "{{x}}"}', [1, 4, 6]),
        ("a.csv", 'prompt\n\n"a\n{{x}}"\n{{x}}\n{{x}}', [3, 5, 6]),
        ("a.txt", "{{x}}? \n\n{{x}}\u2028{{x}}\n{{x}}", [1, 3, 4]),
    ],
)
def test_every_row_knows_its_line(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    (tmp_path / name).write_text("\ufeff" + text, "utf-8", newline="")
    found = [row.detail for row in read_prompts(tmp_path / name) if isinstance(row, Skip)]
    assert [int(detail.partition(f"{name}:")[2].partition(":")[0]) for detail in found] == lines


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{\n  "prompt": "Hi"\n}', ["Hi"]),
        ('{"version": 1, "data": [{"prompt": "Hi"}, "Ho"]}', ["Hi", "Ho"]),
        ('{"prompts": ["Hi", "Ho"]}\n', ["Hi", "Ho"]),
        ('{"prompt": "Hi"} {"prompt": "Ho"}', ["Hi", "Ho"]),
    ],
)
def test_objects_that_are_not_one_a_line(tmp_path: Path, text: str, wanted: list[str]) -> None:
    (tmp_path / "p.json").write_text(text)
    assert questions(tmp_path / "p.json") == wanted


@pytest.mark.parametrize("text", ['["{}"]', '"{}"', "{}"])
def test_a_row_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 64)
    (tmp_path / "p").write_text(text.replace("{}", "a" * 70))
    [skip] = read_prompts(tmp_path / "p")
    assert isinstance(skip, Skip) and skip.reason == "limit"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_cell_may_be_long_and_separated_as_the_first_line_says(tmp_path: Path, separator: str) -> None:
    (tmp_path / "p.csv").write_text(f"id{separator}prompt\n1{separator}{'a' * 200_000}\n")
    assert questions(tmp_path / "p.csv") == ["a" * 200_000]


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"prompt": "ask"}, [("user", "Hi")]),
        ({"prompt": "ask", "system": "role"}, [("system", "Be brief."), ("user", "Hi")]),
        ({"messages": "dialog"}, [("user", "Ho")]),
        ({"prompt": "nothing"}, None),
    ],
)
def test_columns_can_be_named(tmp_path: Path, columns: Mapping[str, str], wanted: object) -> None:
    row = {"ask": "Hi", "role": "Be brief.", "dialog": talk("Ho", "x"), "prompt": "not this", "nothing": None}
    prompt = read_row(tmp_path, row, columns=columns)
    assert said(prompt) == wanted if wanted else isinstance(prompt, Skip) and prompt.reason == "empty"


def test_a_column_that_is_nowhere_gets_one_line(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"ask": "Hi"}\n{"ask": "Ho", "who": "Be brief."}')
    first, second = read_prompts(file, columns={"prompt": "ask", "system": "who"})
    assert said(first) == [("user", "Hi")] and len(said(second)) == 2
    with pytest.raises(InputError, match=r"p.jsonl: no column 'asked': found ask, who"):
        read_prompts(file, columns={"prompt": "asked"})
    with pytest.raises(InputError, match=r"--columns answer: not a part of a prompt \(use one of prompt, "):
        read_prompts(file, columns={"answer": "ask"})
    with pytest.raises(InputError, match=r"--history some: unknown \(use last or full"):
        read_prompts(file, history="some")  # type: ignore[arg-type]
    (tmp_path / "p.txt").write_text("Hi")
    with pytest.raises(InputError, match="no column 'ask': found lines of text"):
        read_prompts(tmp_path / "p.txt", columns={"prompt": "ask"})


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"Who?\nWhy?", ["Who?", "Why?"]),
        (b'{"prompt": "Hi"}', ["Hi"]),
        (gzip.compress(b'["Hi"]', mtime=0), ["Hi"]),
        (b"id,prompt\n1,Hi\n", ["Hi"]),
        (b"Hello, text\nHi", ["Hello, text", "Hi"]),
    ],
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes, wanted: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert questions("-") == wanted


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"prompt": "2"}')
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"1", mtime=0))
    (tmp_path / "c.json").write_text('{"data": [{"prompt": "3"}]}')
    for name in ("README.md", "dataset_info.json", "load.py"):
        (tmp_path / name).write_text("{}")
    assert questions(tmp_path) == questions(f"{tmp_path}/") == ["1", "2", "3"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is a folder without files of prompts \(read are lines of text, JSON"):
        read_prompts(tmp_path / "empty")


def test_arrow_and_what_datasets_saves(tmp_path: Path) -> None:
    rows = {"conversations": [[{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "x"}]] * 3, "n": [1, 2, 3]}
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "saved")
    assert questions(tmp_path / "saved") == ["Hi"] * 3
    with pyarrow.ipc.new_file(tmp_path / "p.arrow", (table := pyarrow.table(rows)).schema) as writer:
        writer.write(table)
    assert questions(tmp_path / "p.arrow") == ["Hi"] * 3


def test_parquet_is_read_whatever_its_columns_hold(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    table = pyarrow.table({"messages": [turns, turns], "day": [date(2026, 1, 2), None], "reference": [["2"], None]})
    parquet.write_table(table, tmp_path / "p.parquet")
    first, second = read_prompts(tmp_path / "p.parquet")
    assert isinstance(first, Prompt) and first.question == "Hi" and isinstance(second, Prompt)
    assert first.columns == {"day": "2026-01-02", "reference": ["2"]} and second.columns == {}


@pytest.mark.parametrize(
    ("name", "says"),
    [("x" * 300, "File name too long"), ("a\0b", "null"), ("file/below", "Not a directory")],
)
def test_a_path_that_cannot_be_opened_gets_one_line(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=says):
        read_prompts(tmp_path / name)


def test_what_a_folder_of_data_sets_holds_is_one_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": name}))
    with pytest.raises(InputError, match="several splits: test, train"):
        read_prompts(tmp_path)
    assert questions(f"{tmp_path}:test") == ["test"]


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    table = datasets.Dataset.from_dict({"question": ["Hi"], "day": [date(2026, 1, 2)]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.DatasetDict({"train": table}))
    [prompt] = read_prompts("org/name")
    assert isinstance(prompt, Prompt) and prompt.question == "Hi" and prompt.columns["day"] == "2026-01-02"


def test_a_missing_file_names_what_there_is() -> None:
    with pytest.raises(InputError, match=r"-p nowhere: no file, folder or bundled set .*identity\.train"):
        read_prompts("nowhere")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_read(name: str) -> None:
    prompts = bundled(name)
    assert len({prompt.id for prompt in prompts}) == len(prompts) > 100


@pytest.mark.parametrize("split", ["train", "eval"])
def test_bundled_systems(split: str) -> None:
    found = systems(split)
    assert len(found) > 20 and {row["split"] for row in found} == {split}


STARTS = [b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1", b"\xef\xbb\xbf", b"\xff\xfe"]
STARTS += [b"[", b"{", b'{"prompt":', b'[{"prompt":"a"}', b'"', b"prompt,id\n"]
NAME = st.sampled_from([f"p{suffix}" for suffix in ("", ".txt", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".gz")])
KEY = st.sampled_from([*NAMES, "role", "from", "content", "value", "type", "images", "rejected", "data", "a\nb"])
LEAF = st.one_of(
    *(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=6)),
    st.sampled_from(["user", "human", "gpt", "assistant", "system", "tool", "text", "{{NAME}}", "\ud800", HH]),
)
VALUE = st.recursive(
    LEAF, lambda part: st.lists(part, max_size=4) | st.dictionaries(KEY, part, max_size=4), max_leaves=9
)
TURN = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "tool"]),
        "content": st.sampled_from(["a", " ", None, [{"type": "text", "text": "x"}], [{"type": "image"}]]),
    }
)
ROW = st.dictionaries(KEY, VALUE | st.lists(TURN, max_size=6), max_size=4) | VALUE


def check_reading(file: Path, **how: Any) -> None:
    """A list of sound prompts and skips, or one line: nothing else."""
    try:
        found = read_prompts(file, **how)
    except InputError as error:
        found = [Skip("file", str(error))]
    assert found
    for prompt in found:
        if isinstance(prompt, Skip):
            assert prompt.detail.encode() and ("\n" not in prompt.detail or prompt.reason == "placeholder")
        else:
            roles = [message["role"] for message in prompt.messages if message["role"] != "system"]
            assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
            assert all(message["content"].strip() and message["content"].encode() for message in prompt.messages)
            assert json.dumps(prompt.columns)


@pytest.mark.slow
@given(
    st.sampled_from(STARTS),
    st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    NAME,
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, start: bytes, more: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(start + more)
    check_reading(tmp_path / name)


@pytest.mark.slow
@given(st.lists(ROW, max_size=3), st.booleans(), st.sampled_from(["last", "full"]), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json(tmp_path: Path, rows: list[Any], array: bool, history: str, named: bool) -> None:
    text = json.dumps(rows) if array else "\n".join(map(json.dumps, rows))
    (tmp_path / "p.json").write_text(text)
    check_reading(
        tmp_path / "p.json", history=history, columns={"prompt": "value", "system": "text"} if named else None
    )
