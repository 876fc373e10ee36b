"""The bundled prompts: well formed, enough of each kind, and nothing of eval to be seen in train."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import read_jsonl

PROMPTS = Path(__file__).parents[1] / "data" / "prompts"
KEYS = {
    "identity": ["id", "lang", "template", "prompt"],
    "controls": ["id", "lang", "template", "about", "prompt", "answer", "reference"],
    "general": ["id", "lang", "task", "template", "prompt", "reference"],
    "everyday": ["id", "lang", "template", "prompt"],
    "claims": ["id", "lang", "template", "prompt"],
    "systems": ["id", "lang", "split", "name", "maker", "system"],
}
FILES = sorted(path.name for path in PROMPTS.glob("*.jsonl"))
Rows = list[dict[str, Any]]


def rows(name: str) -> Rows:
    return read_jsonl(PROMPTS / name)


def split(which: str) -> Rows:
    """All rows of a split; `identity.more` is more of train."""
    return [row for name in FILES if which in name.replace("more", "train").split(".") for row in rows(name)]


def words(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|(?:(?![\u3400-\u9fff_])[\w'’])+", text.lower())


def runs_of_five(split_rows: Rows) -> set[tuple[str, ...]]:
    texts = [words(row["prompt"]) for row in split_rows]
    return {tuple(text[i : i + 5]) for text in texts for i in range(len(text) - 4)}


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_the_keys_of_its_kind_and_says_something(name: str) -> None:
    for row in rows(name):
        assert list(row) == KEYS[name.split(".")[0]]
        assert row["lang"] in {"en", "zh"}
        assert all(value and value == (value.strip() if isinstance(value, str) else value) for value in row.values())


@pytest.mark.parametrize("name", FILES)
def test_no_id_and_no_text_comes_twice(name: str) -> None:
    for key in ("id", "system" if name == "systems.jsonl" else "prompt"):
        assert [text for text, n in Counter(row[key] for row in rows(name)).items() if n > 1] == []


def test_eval_shares_no_prompt_no_template_and_no_five_words_with_train() -> None:
    train, evaluation = split("train"), split("eval")
    assert {row["prompt"].lower() for row in train} & {row["prompt"].lower() for row in evaluation} == set()
    assert {row["template"] for row in train} & {row["template"] for row in evaluation} == set()
    assert runs_of_five(train) & runs_of_five(evaluation) == set()


@pytest.mark.parametrize(("name", "least"), [("identity.train.jsonl", 400), ("identity.eval.jsonl", 200)])
def test_identity_questions_are_many_and_differ_in_phrasing(name: str, least: int) -> None:
    for lang in ("en", "zh"):
        of_lang = [row for row in rows(name) if row["lang"] == lang]
        assert len(of_lang) >= least
        assert len({row["template"] for row in of_lang}) >= least / 3


def test_a_phrasing_gives_at_most_two_questions_to_train_and_the_rest_to_more() -> None:
    assert max(Counter(row["template"] for row in rows("identity.train.jsonl")).values()) == 2
    train, more = ({row["id"] for row in rows(f"identity.{name}.jsonl")} for name in ("train", "more"))
    assert train & more == set()


@pytest.mark.parametrize(("name", "least"), [("controls.train.jsonl", 600), ("controls.eval.jsonl", 240)])
def test_controls_ask_about_the_old_the_new_and_other_names(name: str, least: int) -> None:
    found = rows(name)
    about = Counter(row["about"] for row in found)
    assert len(found) >= least
    assert set(about) == {"old", "new", "other"}
    assert about["old"] >= 0.25 * len(found)
    assert about["new"] >= 0.10 * len(found)
    assert 0.4 <= Counter(row["lang"] for row in found)["en"] / len(found) <= 0.6


def test_the_reference_of_a_control_stands_in_its_answer() -> None:
    controls = rows("controls.train.jsonl") + rows("controls.eval.jsonl")
    assert [row for row in controls if not any(reference in row["answer"] for reference in row["reference"])] == []
    assert [row for row in controls if row["about"] == "new" and "Deep Qwen" not in row["prompt"]] == []


def test_the_most_ordinary_questions_are_for_training() -> None:
    ordinary = {"Who are you?", "What is your name?", "Are you ChatGPT?", "你是谁？", "你叫什么名字？"}
    assert ordinary <= {row["prompt"] for row in rows("identity.train.jsonl")}


def test_system_messages_name_another_assistant_and_maker() -> None:
    found = rows("systems.jsonl")
    assert min(Counter(row["split"] for row in found).values()) >= 60
    assert {row["lang"] for row in found} == {"en", "zh"}
    assert [row for row in found if row["name"] not in row["system"] or row["maker"] not in row["system"]] == []
    names = {which: {row["name"] for row in found if row["split"] == which} for which in ("train", "eval")}
    assert names["train"] & names["eval"] == set()


def test_the_sources_give_the_files_byte_for_byte(tmp_path: Path) -> None:
    runpy.run_path(str(PROMPTS / "build.py"))["main"](tmp_path)
    for built in tmp_path.iterdir():
        assert built.read_bytes() == (PROMPTS / built.name).read_bytes(), "run python data/prompts/build.py"
