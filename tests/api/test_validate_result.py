"""Findings for a reader, a program and a pull request."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from support import pair, read_jsonl, write_jsonl

from pairforge.api.validate import validate
from pairforge.api.validate_result import KEPT, Findings
from pairforge.errors import InputError
from pairforge.resources import validator
from pairforge.types import Finding

SCHEMA = validator("findings")


def printed(findings: Findings) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False, markup=False, soft_wrap=True)
    console.print(findings)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_groups_by_code_and_says_what_mends(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "my pairs.jsonl", [pair("a", "a"), pair("a", "b"), pair("a", "b"), pair("b", "b"), pair("", "c")]
    )
    text = printed(validate(path))
    assert "PF104" in text and "0, 3" in text
    assert text.endswith(f"5 rows: 3 errors, 1 warning, 1 info\nnext: pairforge fix '{path}' fixed.jsonl\n")
    assert repr(validate(path)) == "<Findings: 5 rows: 3 errors, 1 warning, 1 info>"


def test_each_row_counts_once_and_is_said_to_be_unlike_the_others(tmp_path: Path) -> None:
    texts = [{"prompt": f"Q{n}?", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(4)]
    texts += [
        {"prompt": "Null?", "chosen": None, "rejected": "no"},
        {"prompt": "", "chosen": "good", "rejected": "bad"},
    ]
    findings = validate(write_jsonl(tmp_path / "texts.jsonl", texts))
    assert [(one.code, one.row, one.message) for one in findings if one.row is not None] == [
        ("PF011", 4, "`chosen` is null"),
        ("PF115", 5, "the user turn is empty"),
    ]
    assert re.search(r"PF011 +error +1 +4 +`chosen` is null", printed(findings))


def test_prompts_are_not_sent_to_a_command_that_can_t_read_them(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "q.jsonl", [{"question": f"Who, {n}?", "category": "a"} for n in range(3)])
    text = printed(validate(path))
    assert "convert" not in text and "pairforge fix" not in text
    assert "these are prompts, not pairs" in text and f"pairforge onpolicy -p {path}" in text
    other = printed(validate(write_jsonl(tmp_path / "o.jsonl", [{"a": 1}])))
    assert "convert" not in other and "pairforge fix" not in other and "prompts" not in other


def test_json_is_what_the_schema_says(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "pairs.jsonl", [pair("a", "a"), {"chosen": [7]}, pair("a", "b", "R?"), pair("a", "b", "R?")]
    )
    findings = validate(path, fix=tmp_path / "fixed.jsonl")
    for said in (findings, validate([]), validate([pair("a", "b")])):
        SCHEMA.validate(json.loads(json.dumps(said.as_json())))
    assert findings.as_json()["fixed"]["written"] == 1


def test_hostile_texts_are_shown_escaped(tmp_path: Path) -> None:
    evil = "Error: \x1b[1m[b]x[/b]\n::error::%0A"
    path = write_jsonl(tmp_path / "pairs.jsonl", [pair(evil, "b")])
    table = printed(validate(path))
    assert "\x1b" not in table and "[b]x[/b]" in table
    lines = printed(validate(path, format="github")).splitlines()
    assert all(line.startswith("::") for line in lines) and "%250A" in "".join(lines)


def test_github_points_at_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a,b:c.jsonl"
    path.write_text("\n" + json.dumps(pair("a", "b")) + "\n\n" + json.dumps(pair("a", "a")) + "\n", "utf-8")
    (line,) = printed(validate(path, format="github", ignore=["PF212"])).splitlines()
    folder = str(tmp_path).replace(":", "%3A").replace(",", "%2C")
    assert line == f"::error file={folder}/a%2Cb%3Ac.jsonl,line=4,title=PF104::row 1: chosen and rejected are the same"
    assert printed(validate([pair("a", "b")], format="github")) == ""


def test_findings_are_counted_beyond_those_that_are_kept() -> None:
    findings = Findings((Finding("PF104", "error", "x", row) for row in range(KEPT + 5)), KEPT + 5)
    assert len(findings) == KEPT
    assert findings.as_json()["counts"] == {"PF104": KEPT + 5}
    assert f"{KEPT + 5} errors" in printed(findings)


def test_select_and_ignore() -> None:
    rows = [pair("a", "a"), pair("", "b"), {"chosen": 1}]
    codes = {one.code for one in validate(rows)}
    assert codes == {"PF104", "PF106", "PF010", "PF011"}
    assert {one.code for one in validate(rows, select=["PF1"])} == {"PF104", "PF106"}
    assert {one.code for one in validate(rows, select=["PF1,PF010"], ignore=["PF104"])} == {"PF106", "PF010"}
    with pytest.raises(InputError, match="no check is left: --ignore PF leaves out all of them"):
        validate(rows, ignore=["PF"])
    for options in ({"select": ["PF9"]}, {"ignore": ["nonsense"]}, {"explain": "PF9"}, {"format": "xml"}, {"jobs": -1}):
        with pytest.raises(InputError):
            validate(rows, **options)  # type: ignore[arg-type]


def test_explain_tells_why_and_reads_nothing() -> None:
    findings = validate("/nowhere", explain="PF104")
    assert findings == [] and findings.ok
    assert "nothing can be learned" in printed(findings) and "pairforge fix" in printed(findings)
    assert findings.as_json()["code"] == "PF104"


def test_strict_makes_warnings_fail() -> None:
    rows = [pair("a", "b"), pair("a", "b")]
    assert validate(rows).ok and not validate(rows, strict=True).ok
    assert validate([pair("a", "b"), pair("b", "c")], strict=True).ok, "an info never fails"


def test_fix_writes_a_new_file_only(tmp_path: Path) -> None:
    rows = [pair("a", "b"), pair("a", "b"), pair("é", "d", n=1.5)]
    path, out = write_jsonl(tmp_path / "pairs.jsonl", rows), tmp_path / "new" / "fixed.jsonl"
    before = path.read_bytes()
    findings = validate(path, fix=out)
    assert path.read_bytes() == before
    assert read_jsonl(out) == [rows[0], rows[2]]
    assert "2 of 3 rows written, 1 dropped" in printed(findings)
    assert not {one.code for one in validate(out)} - {"PF204"}
    for bad in (path, out, tmp_path / "x.parquet"):
        with pytest.raises(InputError):
            validate(path, fix=bad)
    assert sorted(file.name for file in out.parent.iterdir()) == ["fixed.fixes.jsonl", "fixed.jsonl"]


def test_rows_that_can_be_read_only_once_are_checked_and_fixed(tmp_path: Path) -> None:
    findings = validate(iter([pair("a", "b"), pair("a", "a")]), fix=tmp_path / "fixed.jsonl")
    assert findings.rows == 2 and not findings.ok
    assert read_jsonl(tmp_path / "fixed.jsonl") == [pair("a", "b")]


def test_where_the_rows_of_a_check_differ_the_message_says_whose_it_is(tmp_path: Path) -> None:
    sound = pair("Right.", "Wrong.")
    odd = [sound | {"rejected": None}, sound | {"rejected": 3}]
    path = write_jsonl(tmp_path / "pairs.jsonl", [sound, *odd])
    with path.open("a") as file:
        file.write("{oops}\n")
    said = printed(validate(path))
    assert "row 1: `rejected` is null, not a list of messages (and others)" in said
    assert "pairs.jsonl, line 4: not valid JSON" in said and "pairs.jsonl:4" not in said
    path.write_text(path.read_text().replace("{oops}", '{"chosen": ['))
    assert "line 4: incomplete JSON: Expecting value at the end of the line" in printed(validate(path))
    alike = printed(validate([*[sound | {"rejected": 3}] * 2, sound]))
    assert "`rejected` is 3" in alike and "(and others)" not in alike


def test_rows_with_nearly_the_same_prompt_are_counted_as_rows() -> None:
    asked = "Which of the many rivers in the north of the country is the longest one, and where does it begin"
    rows = [pair(f"{n} it is.", f"{n * 7} is it?", f"{asked}{end}") for n, end in enumerate(("?", "!", "??"))]
    found = [one for one in validate(rows) if one.code == "PF207"]
    assert [one.row for one in found] == [1, 2]
    assert {one.message for one in found} <= {f"near-duplicate prompt of row {n}" for n in (0, 1)}
