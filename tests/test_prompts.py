"""Prompts are read from the shapes people have them in, and a broken file gets one line."""

import gzip
import json
from pathlib import Path

import pytest

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
        (b'{"question": "a"}', "found question"),
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


def test_a_missing_file_names_what_there_is() -> None:
    with pytest.raises(InputError, match=r"does not exist \(.*identity\.train"):
        read_prompts("nowhere.jsonl")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_read(name: str) -> None:
    prompts = bundled(name)
    assert len({prompt.id for prompt in prompts}) == len(prompts) > 200
