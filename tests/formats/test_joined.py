"""Sets of one answer a row: the rows of a prompt, or of a tree, are one, and the rows of the file are still counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge import formats
from pairforge.formats.joined import JOINED

Row = dict[str, Any]


def message(name: str, parent: str | None, text: str, role: str, rank: float | None, tree: str = "1") -> Row:
    return {
        "message_id": name, "parent_id": parent, "message_tree_id": tree, "text": text, "role": role, "rank": rank,
        "deleted": False, "lang": "en",
    }  # fmt: skip


TREES = [
    message("1", None, "A fruit?", "prompter", None),
    message("2", "1", "Chair.", "assistant", 1.0),
    message("3", "1", "Pear.", "assistant", 0.0),
    message("4", "3", "Another?", "prompter", None),
    message("5", "4", "Plum.", "assistant", 0.0),
    message("6", "4", "Table.", "assistant", 1.0),
    message("7", None, "And now?", "prompter", None, "7"),
    message("8", "7", "The only answer.", "assistant", None, "7"),
]
SCORED = [
    {"prompt": f"Question {at // 2}?", "response": f"Answer {at}.", "helpfulness": at % 4, "lang": "en", "n": at}
    for at in range(7)
]


def written(rows: list[Row], folder: Path) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl"


def test_rows_of_a_tree_are_a_tree(tmp_path: Path) -> None:
    pairs = pairforge.read_pairs(written(TREES, tmp_path))
    assert [[turn["content"] for turn in pair["chosen"]] for pair in pairs] == [
        ["A fruit?", "Pear."],
        ["A fruit?", "Pear.", "Another?", "Plum."],
    ]


def test_answers_of_a_prompt_are_paired_by_their_scores(tmp_path: Path) -> None:
    pairs = pairforge.read_pairs(written(SCORED, tmp_path))
    assert [(pair["chosen"][-1]["content"], pair["rejected"][-1]["content"]) for pair in pairs] == [
        ("Answer 1.", "Answer 0."),
        ("Answer 3.", "Answer 2."),
        ("Answer 5.", "Answer 4."),
    ]
    assert (pairs[0]["lang"], pairs[0]["chosen_score"], pairs[0].get("n")) == ("en", 1.0, None)


@pytest.mark.parametrize(("rows", "pairs", "joined"), [(TREES, 2, 6), (SCORED, 3, 4)])
def test_all_rows_are_counted(rows: list[Row], pairs: int, joined: int, tmp_path: Path) -> None:
    source = written(rows, tmp_path)
    found = pairforge.validate(source, quiet=True)
    assert (found.rows, found.ok) == (len(rows), True)
    done = pairforge.convert(source, tmp_path / "pairs.jsonl", quiet=True)
    assert (done.rows, done.written, done.skips[JOINED]) == (len(rows), pairs, joined)


@pytest.mark.parametrize(
    "rows",
    [
        [{"prompt": f"q{at}", "response": "a", "score": 1} for at in range(4)],
        [{"prompt": "q", "completion": "a", "score": at, "label": at > 1} for at in range(4)],
        [{"prompt": "q", "chosen": "a", "rejected": "b", "answer": "c", "score": at} for at in range(4)],
        [{"prompt": "q", "response": "a", "score": "good"} for at in range(4)],
    ],
)
def test_other_rows_stay_as_they_are(rows: list[Row], tmp_path: Path) -> None:
    assert list(formats.rows(written(rows, tmp_path))) == rows
