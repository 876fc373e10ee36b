"""--baseline: what is worse than in an earlier report ends with exit code 3 and a line; all else ends as without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import write_jsonl

from pairforge import shortcuts, validate
from pairforge.api.baseline import worse_than
from pairforge.checks.shortcuts import Report
from pairforge.cli import main
from pairforge.errors import InputError


def rows(identical: int, because: int = 0, count: int = 60) -> list[dict[str, Any]]:
    made = []
    for index in range(count):
        user = {"role": "user", "content": f"What is {index} + {index}, and why number {7 * index}?"}
        chosen = f"It is {2 * index}{' because I counted it twice' if index < because else ''}."
        rejected = chosen if index < identical else f"It is {2 * index + 1}."
        sides = {"chosen": chosen, "rejected": rejected}
        made.append({side: [user, {"role": "assistant", "content": text}] for side, text in sides.items()})
    return made


def saved(path: Path, report: Any) -> Path:
    path.write_text(json.dumps(report.as_json()))
    return path


def test_a_higher_share_of_rows_is_worse(tmp_path: Path) -> None:
    old = saved(tmp_path / "old.json", validate(rows(2), quiet=True))
    same, fewer = (validate(rows(count), baseline=old, quiet=True) for count in (2, 1))
    assert (same.worse, same.exit_code, same.ok) == ((), 1, False)
    assert fewer.worse == ()
    more = validate(rows(3), baseline=old, quiet=True)
    assert more.worse == (f"worse than in {old}: PF104, share of rows: 3.33 % -> 5 %",)
    assert (more.ok, more.exit_code, more.as_json()["worse"]) == (False, 3, [*more.worse])
    assert "1 worse than before" in repr(more)
    twice = validate(rows(2) + rows(0, count=120)[60:], baseline=old, quiet=True)
    assert twice.worse == ()  # as many errors in twice as many rows


def test_a_stronger_shortcut_is_worse(tmp_path: Path) -> None:
    old = saved(tmp_path / "old.json", shortcuts(rows(0, 10), quiet=True, fail_on="critical"))
    same, more = (shortcuts(rows(0, because), quiet=True, fail_on="critical", baseline=old) for because in (10, 40))
    assert isinstance(more, Report)
    assert (same.worse, same.ok) == ((), True)
    assert more.worse[0].startswith(f"worse than in {old}: the classifier picks the chosen answer: ")
    assert any("gain over chance by" in line for line in more.worse)
    assert (more.ok, more.exit_code) == (False, 3)
    assert more.worse[0] in str(more)


def test_the_command_says_it_and_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, old = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "old.json"
    write_jsonl(first, rows(1))
    write_jsonl(second, rows(0))
    with pytest.raises(SystemExit):
        main(["validate", str(first), str(second), "--json"])
    old.write_text(capsys.readouterr().out)
    write_jsonl(second, rows(1))
    for file, code, form in ((first, 1, "table"), (second, 3, "table"), (second, 3, "github")):
        with pytest.raises(SystemExit) as ended:
            main(["validate", str(file), "--baseline", str(old), "--format", form])
        assert ended.value.code == code
        assert ("PF104, share of rows: 0 %" in capsys.readouterr().out) is (code == 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "not a report of pairforge validate"),
        ('{"command": "shortcuts"}', "not a report of pairforge validate"),
        ('{"command": "validate"}', "not a whole report"),
        ('{"command": "validate", "counts": {"PF104": "x"}, "findings": [], "rows": 3}', "not a whole report"),
        ('{"command": "validate", "counts": {"PF104": 1}, "findings": [], "rows": 0}', "not a whole report"),
        ('{"command": "validate", "counts": {}, "findings": [3], "rows": 0}', "not a whole report"),
        ('{"command": "validate", "sources": [3, {"source": "b"}]}', "has no report on a"),
    ],
)
def test_a_file_that_is_no_report_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(text)
    report = {"command": "validate", "counts": {}, "findings": [], "rows": 1}
    with pytest.raises(InputError, match=said) as raised:
        worse_than(file, report, "a")
    assert f"--json > {file}" in str(raised.value.fix) or "--json" in str(raised.value.fix)
    with pytest.raises(InputError, match="can't be read"):
        worse_than(tmp_path / "none.json", report, "a")
