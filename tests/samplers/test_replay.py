"""Stored answers come back as they were, and nothing else is taken for one."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from support import prompt

from pairforge.errors import InputError
from pairforge.samplers.replay import ReplaySampler
from pairforge.types import Answer, Message, Prompt, Skip

ASKED = Prompt((Message(role="system", content="Be brief."), Message(role="user", content="Who are you?")))
OTHER = prompt("Hello")


def written(tmp_path: Path, *rows: Any) -> Path:
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return file


def test_every_usual_shape_is_read(tmp_path: Path) -> None:
    messages = list(ASKED.messages)
    file = written(
        tmp_path,
        {"prompt": messages, "answers": [{"text": "I am", "finish": "length", "tokens": 2}, "Qwen."], "model": "m"},
        {"messages": messages, "response": "Qwen!"},
        {"prompt": "Hello", "completion": "Hi.\u2028There"},
    )
    sampler = ReplaySampler.from_file(file)
    [made] = list(sampler.sample([ASKED, OTHER], 4, ()))
    assert [made[ASKED.id, i] for i in range(3)] == [
        Answer("I am", "length"),
        Answer("Qwen.", "stop"),
        Answer("Qwen!", "stop"),
    ]
    assert made[OTHER.id, 0] == Answer("Hi.\u2028There", "stop")
    assert isinstance(made[OTHER.id, 1], Skip) and isinstance(made[ASKED.id, 3], Skip)
    assert sampler.model == "m"


def test_what_is_done_is_left_out_and_other_answers_are_other_settings(tmp_path: Path) -> None:
    one = ReplaySampler({(ASKED.id, 0): Answer("a", "stop")}, "m")
    two = ReplaySampler({(ASKED.id, 0): Answer("b", "stop")}, "m")
    assert list(one.sample([ASKED], 1, [(ASKED.id, 0)])) == [{}]
    assert one.settings() != two.settings() and one.settings()["model"] == "m"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "x"},
        {"answer": "x"},
        {"prompt": "x", "answers": [None]},
        {"prompt": "x", "answers": [1.0]},
        {"prompt": "x", "answers": [{"text": None}]},
        {"prompt": "x", "answers": [{"text": "a", "finish": "error"}]},
        {"prompt": [{"role": "user"}], "answers": ["a"]},
        ["x"],
        "x",
        None,
    ],
)
def test_what_is_no_answer_is_named_by_its_line(tmp_path: Path, row: Any) -> None:
    with pytest.raises(InputError, match=r"answers\.jsonl:2: not a prompt with answers"):
        ReplaySampler.from_file(written(tmp_path, {"prompt": "x", "answer": "y"}, row))


def test_why_there_is_no_answer_is_kept_and_several_files_are_joined(tmp_path: Path) -> None:
    skip = {"reason": "too_long", "detail": "9000 tokens"}
    file = written(
        tmp_path, {"prompt": "Hello", "answers": [], "skip": skip}, {"prompt": list(ASKED.messages), "answer": "A"}
    )
    one, other = ReplaySampler.from_file(file), ReplaySampler({(ASKED.id, 0): Answer("B", "stop")}, "m")
    assert [*one.prompts.values()] == [OTHER, ASKED]
    [made] = one.joined(other).sample([OTHER, ASKED], 2, ())
    assert made[OTHER.id, 0] == Skip("too_long", "9000 tokens")
    assert [made[ASKED.id, index] for index in range(2)] == [Answer("A", "stop"), Answer("B", "stop")]


def test_who_wrote_an_answer_is_known_where_it_is_not_always_the_same(tmp_path: Path) -> None:
    rows = [{"prompt": "P", "answer": "A", "model": "m"}, {"prompt": "P", "answer": "B", "model": "other"}]
    both = ReplaySampler.from_file(written(tmp_path, *rows))
    name = next(iter(both.prompts))
    assert both.authors() == {(name, "A"): "m", (name, "B"): "other"}
    one = ReplaySampler.from_file(written(tmp_path, rows[0]))
    assert one.authors() == {} and one.joined(one).authors() == {(name, "A"): "m"}
    assert one.joined(ReplaySampler.from_file(written(tmp_path, rows[1]))).authors() == both.authors()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run or file"):
        ReplaySampler.from_file(tmp_path / "nothing.jsonl")


def test_a_file_of_answers_cannot_be_sampled_otherwise() -> None:
    with pytest.raises(InputError, match="can't give others"):
        ReplaySampler({}, "file").with_decoding(temperature=1.0)


@pytest.mark.parametrize("kind", ["parquet", "save_to_disk", "array", "jsonl.gz", "csv"])
def test_answers_are_read_in_the_formats_of_prompts(tmp_path: Path, kind: str) -> None:
    rows: list[dict[str, Any]] = [{"prompt": "Hello", "answer": "Hi."}, {"prompt": "Bye", "answer": "See you."}]
    path = tmp_path / f"answers.{kind}"
    if kind == "array":
        path.write_text(json.dumps(rows), "utf-8")
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    else:
        getattr(Dataset.from_list(rows), kind if kind == "save_to_disk" else f"to_{kind}")(str(path))
    [made] = ReplaySampler.from_file(path).sample([OTHER], 1, ())
    assert made == {(OTHER.id, 0): Answer("Hi.", "stop")}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "x", "answers": [1.0]}, "an answer is a text, or an object of text and finish, not 1.0"),
        ({"prompt": {"a": 1}, "answer": "y"}, "its prompt is neither a text nor a list of messages"),
        ({"messages": None, "answer": "y"}, "its messages is neither"),
        ({"prompt": [{"role": "user", "content": None}], "answer": "y"}, "its prompt is neither"),
        ({"prompt": "x"}, "it has only prompt"),
        (["x"], "it is no object: \\['x'\\]|no object"),
        ({"prompt": "x", "answers": "['y']"}, "a list that was written as a text"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_in_words(tmp_path: Path, row: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        ReplaySampler.from_file(written(tmp_path, row))


def test_a_row_may_name_no_model(tmp_path: Path) -> None:
    assert ReplaySampler.from_file(written(tmp_path, {"prompt": "x", "answer": "y", "model": None})).model != "None"
