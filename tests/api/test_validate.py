"""`validate` takes rows in every form, and a file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from rich.console import Console
from support import pair, prompt, write_jsonl

from pairforge import formats
from pairforge.api.validate import validate
from pairforge.errors import InputError
from pairforge.types import Pair


def rows(count: int) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {"method": "m", "model": "n", "judge": "j", "chosen_score": 1.0, "rejected_score": 0.0}
    prompts = [prompt(f"Question {n}?") for n in range(count)]
    return [Pair.of(prompt, "Right.", "Wrong.", **columns).row() for prompt in prompts]


def test_sound_rows_in_every_form(tmp_path: Path) -> None:
    sound = rows(5)
    path = tmp_path / "pairs.jsonl"
    write_jsonl(path, sound)
    formats.to_dataset(sound).to_parquet(tmp_path / "pairs.parquet")
    for data in (sound, iter(sound), formats.to_dataset(sound), path, str(path), tmp_path / "pairs.parquet"):
        assert validate(data) == []
    assert validate([MappingProxyType(row) for row in sound]) == []


def test_rows_count_from_0_and_paths_point(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    broken = rows(2)
    broken[1]["rejected"][1]["content"] = " "
    path.write_text(json.dumps(broken[0]) + "\n\n" + json.dumps(broken[1]) + '\n{"chosen": [', "utf-8")
    empty, cut = validate(path, ignore=["PF212"])
    assert (empty.code, empty.severity, empty.row, empty.path) == ("PF106", "error", 1, "/rejected/1/content")
    assert (cut.code, cut.row) == ("PF001", 2)
    assert f"{path}, line 4: incomplete JSON" in cut.message


def test_the_findings_are_those_of_the_memory(tmp_path: Path) -> None:
    broken = [*rows(3), *rows(1), {"chosen": [], "rejected": []}]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(broken), "utf-8")
    assert [finding.as_json() for finding in validate(path)] == [finding.as_json() for finding in validate(broken)]


def test_what_lines_hold_beside_rows_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [json.dumps(row).encode() for row in rows(2)]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n".join(lines))
    for jobs in (1, 2):
        (found,) = told = validate(path, jobs=jobs)
        assert (found.code, found.severity, found.row, told.rows) == ("PF212", "info", None, 2)
        assert all(name in found.message for name in ("byte-order mark", "blank lines", "CRLF"))
    assert validate(path, fix=tmp_path / "fixed.jsonl").fixed
    assert validate(tmp_path / "fixed.jsonl") == []


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.json"])
def test_how_long_a_row_may_be(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    some = rows(3)
    some[1]["chosen"][1]["content"] = "Right" * 1000
    path.write_text(json.dumps(some) if name.endswith("json") else "\n".join(map(json.dumps, some)), "utf-8")
    assert validate(path) == []
    (found,) = validate(path, max_row_bytes=2000)
    assert (found.code, found.row) == ("PF004", 1) and "more than 2000 bytes" in found.message


def test_python_s_way_of_writing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(repr, rows(2))), "utf-8")
    with pytest.raises(InputError, match="Python's way of writing") as told:
        validate(path)
    assert "json.dumps" in str(told.value.fix)


def test_no_rows() -> None:
    (finding,) = validate([])
    assert finding.as_json() == {"code": "PF201", "severity": "error", "message": "no rows", "row": None, "path": ""}


def test_as_training_on_a_model_sees_them(tmp_path: Path) -> None:
    broken = rows(30)
    broken[3]["chosen"][1]["content"] += "<|im_end|>"
    broken[7]["chosen"] = "no list"
    alone = {(one.row, one.code) for one in validate(broken)}
    seen = {(one.row, one.code) for one in validate(broken, model="pocket")}
    assert (3, "PF108") in alone and alone < seen
    assert (3, "PF411") in seen and {code for _, code in seen - alone} <= {f"PF4{number:02}" for number in range(1, 15)}
    assert [one.code for one in validate(broken, model="pocket", select=["PF411"])] == ["PF411"]
    with pytest.raises(InputError, match="PF4"):
        validate(broken, select=["PF4"])


def test_foreign_shapes_are_looked_at_as_pairs(tmp_path: Path) -> None:
    foreign = [
        {"conversations": [{"from": "human", "value": f"{n}?"}], "chosen": {"from": "gpt", "value": "a"},
         "rejected": {"from": "gpt", "value": "" if n == 3 else "b"}}
        for n in range(5)
    ]  # fmt: skip
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps(foreign), "utf-8")
    for data in (path, foreign, iter(foreign)):
        assert [(one.code, one.row) for one in validate(data)] == [("PF106", 3)]


def test_prompts_of_every_kind_can_be_kept_out(tmp_path: Path) -> None:
    sound = rows(3)
    other = tmp_path / "eval.jsonl"
    for shape in (sound[1], {"prompt": "Question 1?"}, {"messages": [{"role": "user", "content": "Question 1?"}]}):
        other.write_text(json.dumps(shape) + "\n", "utf-8")
        assert [(one.code, one.row) for one in validate(sound, against=other)] == [("PF209", 1)]
    assert [(one.code, one.row) for one in validate(sound, against=sound[2:])] == [("PF209", 2)]
    assert validate(sound, against="identity.eval") == []


def test_shortcuts_are_warnings_where_they_are_asked_for() -> None:
    rows = [pair(f"Sure, {number} it is.", f"It is {number}.", f"What is {number}?") for number in range(200)]
    assert not [finding for finding in validate(rows) if finding.code.startswith("PF3")]
    found = validate(iter(rows), select=["PF3"])
    assert found and {finding.severity for finding in found} == {"warning"}
    assert {"PF303", "PF306"} <= {finding.code for finding in found}


def yes_or_no(chosen: str, rejected: str = "No.") -> dict[str, Any]:
    return pair(chosen, rejected, "Is it so?")


TOKEN_ROWS = [
    yes_or_no("Yes."),
    yes_or_no("yes " * 99 + "a", "yes " * 99 + "b"),
    yes_or_no("Yes, it is so.", "<|im_end|> is what ends it"),
    7,
]


def token_codes(found: list[Any]) -> set[tuple[str, int | None]]:
    return {(finding.code, finding.row) for finding in found if finding.code.startswith("PF4")}


def test_rows_of_any_source_in_one_pass(tmp_path: Path) -> None:
    def stream() -> Iterator[Any]:
        yield from TOKEN_ROWS

    path = tmp_path / "p.jsonl"
    write_jsonl(path, TOKEN_ROWS)
    expected = {("PF404", 1), ("PF410", 1), ("PF411", 2), ("PF413", None), ("PF414", None)}
    for source in (stream(), TOKEN_ROWS, path):
        found = validate(source, model="pocket", max_length=80, quiet=True)
        assert token_codes(found) == expected
        assert any(finding.row == 3 for finding in found), "the other families are asked as well"
    assert token_codes(validate(TOKEN_ROWS, model="pocket", max_length=80, select=["PF404"], quiet=True)) == {
        ("PF404", 1)
    }
    assert token_codes(validate(TOKEN_ROWS, quiet=True)) == set()


def test_tokens_need_a_model() -> None:
    with pytest.raises(InputError, match="--model"):
        validate(TOKEN_ROWS, select=["PF4"], quiet=True)


def test_several_processes_find_the_same() -> None:
    rows = [yes_or_no(f"Yes {number}") for number in range(60)] + [yes_or_no("<|im_start|> yes")]
    one, two = (validate(rows, model="pocket", jobs=jobs, quiet=True) for jobs in (1, 2))
    assert token_codes(one) == token_codes(two) >= {("PF411", 60), ("PF414", None)}


def printed(findings: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(findings)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_the_shape_is_named_and_all_rows_are_counted(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "response_a": f"a{n}", "response_b": "b", "winner": "ab-"[n % 3]} for n in range(90)]
    rows = [{**row, "winner": row["winner"].replace("-", "tie")} for row in rows]
    findings = validate(rows, quiet=True)
    assert (findings.shape, findings.rows, findings.ties) == ("verdict", 90, 30)
    assert {"shape": "verdict", "rows": 90, "ties": 30}.items() <= findings.as_json().items()
    strange = validate([{"frage": "q", "gut": "a", "schlecht": "b"}] * 300, quiet=True)
    assert (strange.shape, strange.rows, strange.counts) == ("unknown", 300, {"PF010": 1})
    assert "--columns prompt=frage chosen=gut rejected=schlecht" in strange[0].message


def test_a_row_that_does_not_fit_is_blamed_on_the_right_cause(tmp_path: Path) -> None:
    sound = {"prompt": "q", "chosen": "a", "rejected": "b"}
    rows: list[Any] = [
        sound,
        {**sound, "rejected": None},
        {**sound, "history": [{"x": 1}]},
        {**sound, "chosen": 7},
        {"prompt": "q", "chosen": "a"},
        {**sound, "chosen": [{"role": "narrator", "content": "x"}]},
    ]
    found = {one.row: (one.code, one.message) for one in validate(rows, quiet=True) if one.row}
    assert found == {
        1: ("PF011", "`rejected` is null"),
        2: ("PF011", "`history` holds objects that are not exchanges of two texts"),
        3: ("PF011", "`chosen` is a number, not a text or a list of messages"),
        4: ("PF010", "`rejected` is missing"),
        5: ("PF013", "`chosen`: message 0: the role 'narrator' is not known"),
    }


def test_texts_of_a_chat_template_are_named_as_such() -> None:
    rows = [{"prompt": "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", "chosen": "a", "rejected": "b"}]
    (one,) = (one for one in validate(rows, quiet=True) if one.severity == "error")
    assert (one.code, one.row) == ("PF108", None)
    assert "written out in a chat template" in one.message and "pairforge convert" in one.message
