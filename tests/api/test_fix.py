"""`fix`: sound pairs of one shape, with a reason for each row that is not as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support import pair, read_jsonl, write_jsonl

import pairforge
from pairforge.api.fix import fix
from pairforge.errors import InputError
from pairforge.types import Skip

TEXTS: list[dict[str, Any]] = [
    {"prompt": "What is DPO?", "chosen": "DPO trains a model.", "rejected": "It is a way to train.", "note": 1},
    {"prompt": "Same?", "chosen": "yes", "rejected": "yes"},
    {"prompt": "Who?", "chosen": "I am X.", "rejected": "I am Y."},
    {"prompt": "Twice?", "chosen": "I am X.", "rejected": "I am Y."},
    {"prompt": "Twice?", "chosen": "I am X.", "rejected": "I am Y."},
    {"prompt": "Who?", "chosen": "I am Y.", "rejected": "I am X."},
    {"prompt": "Empty?", "chosen": "", "rejected": "no"},
    {"prompt": "", "chosen": "good", "rejected": "bad"},
    {"prompt": "Busy?", "chosen": "fine", "rejected": "Error: 429 Too Many Requests"},
    {"prompt": "Token?", "chosen": "Yes it is so<|im_end|>", "rejected": "No it is not"},
    {"prompt": "Null?", "chosen": None, "rejected": "no"},
    {"prompt": "Space?", "chosen": "I think so, yes. ", "rejected": "I do not think so."},
    {"prompt": "Number?", "chosen": "one", "rejected": "two", "score": float("nan")},
    pair("So it is.", "It is not so.", "Of another shape?"),
]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = write_jsonl(tmp_path / "in.jsonl", TEXTS)
    with path.open("a") as file:
        file.write('{"prompt": "cut')
    return path


def printed(result: object) -> str:
    console = Console(file=io.StringIO(), highlight=False, markup=False, soft_wrap=True)
    console.print(result)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_every_row_is_written_or_has_a_reason(texts: Path, tmp_path: Path) -> None:
    before = texts.read_bytes()
    made = fix(texts, tmp_path / "new" / "out.jsonl")
    assert texts.read_bytes() == before
    assert (made.rows, made.written, made.ok) == (15, 5, True)
    dropped = {
        1: "PF104", 2: "PF203", 4: "PF202", 5: "PF203", 6: "PF106", 7: "PF115", 8: "PF107", 10: "PF011", 12: "PF006",
        14: "PF001",
    }  # fmt: skip
    assert {row: code for row, (code, _) in made.log.dropped.items()} == dropped
    assert made.rows == made.written + len(dropped)
    record = read_jsonl(made.record)
    assert made.record == tmp_path / "new" / "out.fixes.jsonl"
    assert [one["row"] for one in record] == sorted({*dropped, 9, 11})
    by_row = {one["row"]: one for one in record}
    assert by_row[9]["what"] == "changed" and by_row[9]["codes"] == ["PF108"] and by_row[9]["pair"] == TEXTS[9]
    assert all(one["why"] for one in record)
    assert by_row[10]["why"] == "`chosen` is null"
    assert "NaN" in by_row[12]["pair"] and by_row[14]["pair"] is None


def test_what_is_written_is_of_one_shape_and_validates(texts: Path, tmp_path: Path) -> None:
    fix(texts, tmp_path / "out.jsonl")
    rows = read_jsonl(tmp_path / "out.jsonl")
    assert all(isinstance(row[side], list) for row in rows for side in ("chosen", "rejected"))
    assert [row["chosen"][-1]["content"] for row in rows] == [
        "DPO trains a model.", "I am X.", "Yes it is so", "I think so, yes.", "So it is.",
    ]  # fmt: skip
    assert rows[0]["note"] == 1, "other columns are kept"
    assert not {one.code for one in pairforge.validate(tmp_path / "out.jsonl") if one.severity != "info"}
    again = fix(tmp_path / "out.jsonl", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()
    assert not again.log.dropped and not again.log.changed


def test_the_summary_adds_up(texts: Path, tmp_path: Path) -> None:
    made = fix(texts, tmp_path / "out.jsonl")
    text = printed(made)
    assert f"{tmp_path}/out.jsonl: 5 of 15 rows written, 10 dropped, 2 changed" in text
    assert "dropped      2   PF203   row 2" in text and "checked again: 0 errors, 0 warnings" in text
    said = made.as_json()
    assert said["rows"] == said["written"] + sum(said["dropped"].values()) and said["changed"] == {
        "PF108": 1,
        "PF302": 1,
    }
    assert repr(made) == "<FixedPairs: 5 of 15 rows written, 10 dropped, 2 changed>"


def test_rows_that_only_their_owner_can_judge_are_left_and_said(tmp_path: Path) -> None:
    rows = [pair(f"yes {n}", f"no {n}", f"Q{n}?", extra=n if n % 2 else str(n)) for n in range(4)]
    made = fix(rows, tmp_path / "out.jsonl")
    assert made.written == 4 and not made.ok and made.as_json()["left"] == {"PF210": 2}
    assert "still wrong: PF210" in printed(made)


def test_sound_rows_of_other_shapes_become_conversations(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    ask, no_idea = {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "No idea."}
    rows = [
        {"prompt": [ask], "chosen": [call], "rejected": [no_idea]},
        {
            "prompt": [ask],
            "chosen": [{"role": "assistant", "content": "Sun."}],
            "rejected": [{"role": "gpt", "content": "x y"}],
        },
    ]
    made = fix(rows, tmp_path / "out.jsonl")
    written = read_jsonl(tmp_path / "out.jsonl")
    assert made.written == 2 and [row["chosen"][0] for row in written] == [ask, ask]
    assert written[0]["chosen"][1]["tool_calls"] and "prompt" not in written[0], "a call of a tool is never lost"
    assert written[1]["rejected"][1]["role"] == "assistant"


def test_answers_that_are_cut_off_are_dropped_if_asked(tmp_path: Path) -> None:
    code = "So it is written:\n```python\nprint("
    rows = [pair(code, "In no way whatsoever.", "How?"), pair("a b.", "c d.", "x")]
    assert fix(rows, tmp_path / "all.jsonl").written == 2
    assert fix(rows, tmp_path / "some.jsonl", drop_cut=True).log.dropped.keys() == {0}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"question": "Who?"}], "these are prompts, not pairs"),
        ([{"prompt": "q", "completion": "a", "label": True}], "answers with labels.*pairforge convert"),
        ([pair("a", "a")], "nothing would be left of 1 row: chosen and rejected are the same"),
        ([], "has no rows"),
        ([Skip("json", "x:1: cut off")], "x:1: cut off"),
    ],
)
def test_what_can_t_be_fixed_writes_nothing(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fix(rows, tmp_path / "out.jsonl")
    assert not [*tmp_path.iterdir()]


def test_nothing_is_written_in_place_or_over_another_file(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the source itself"):
        fix(texts, texts)
    with pytest.raises(InputError, match="must end in"):
        fix(texts, tmp_path / "out.csv")
    (tmp_path / "out.fixes.jsonl").write_text("mine")
    with pytest.raises(InputError, match=r"out\.fixes\.jsonl exists"):
        fix(texts, tmp_path / "out.jsonl")
    assert (tmp_path / "out.fixes.jsonl").read_text() == "mine" and not (tmp_path / "out.jsonl").exists()
    assert fix(texts, tmp_path / "out.jsonl", overwrite=True).written == 5
    assert json.loads((tmp_path / "out.fixes.jsonl").read_text("utf-8").splitlines()[0])["row"] == 1


def test_a_prompt_beside_the_answers_is_kept_in_a_set_of_whole_conversations(tmp_path: Path) -> None:
    whole = [pair(f"yes {n}", f"no {n}", f"Q{n}?") for n in range(3)]
    answers = {side: [{"role": "assistant", "content": f"{side} here"}] for side in ("chosen", "rejected")}
    rows = [*whole, {"prompt": [{"role": "user", "content": "Q7?"}], **answers}, {"prompt": "Q8?", **answers}]
    assert fix(rows, tmp_path / "out.jsonl").written == 5
    asked = [row["chosen"][0]["content"] for row in read_jsonl(tmp_path / "out.jsonl")]
    assert asked == ["Q0?", "Q1?", "Q2?", "Q7?", "Q8?"]
    assert pairforge.convert(rows, tmp_path / "converted.jsonl").ok
    assert read_jsonl(tmp_path / "converted.jsonl") == read_jsonl(tmp_path / "out.jsonl")
