"""A notebook shows a result as tables or as a terminal prints it, and never as markup from outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from support import prompt

from pairforge import Finding, InputError, Pair, Skip
from pairforge.api.build_result import BuildResult
from pairforge.api.runs import RunView
from pairforge.api.validate_result import Explanation, Findings
from pairforge.checks.shortcuts import audit
from pairforge.console import table
from pairforge.evaluation.verdict import verdict
from pairforge.notebook import HtmlRepr
from pairforge.pair_view import Diff
from pairforge.run import Run

EVIL = "<script>alert(1)</script>"


def test_a_notebook_shows_what_a_terminal_prints() -> None:
    class Result(HtmlRepr):
        def __rich_console__(self, *_: object) -> object:
            yield table("", ["what"], [[EVIL]])
            yield Diff("I am Qwen.", "I am Athene.")

    shown = Result()._repr_html_()
    assert shown.startswith("<pre") and "<script>" not in shown and "&lt;script&gt;" in shown
    assert "color: #008000" in shown and "{+Athene+}" in shown


def rows(count: int = 40) -> list[dict[str, Any]]:
    columns = {"method": "best_worst", "model": EVIL, "judge": "len", "chosen_score": 2.0, "rejected_score": 1.0}
    return [
        Pair.of(prompt(f"{EVIL} {n}"), f"I am {EVIL} Athene {n}.", f"I am Qwen {n}.", **columns).row()
        for n in range(count)
    ]


def built(tmp_path: Path) -> BuildResult:
    run = Run.of(tmp_path, "onpolicy", {"model": "m", "n": 2})
    run.finish(rows(), [], {"prompts": 43, "contexts": 1, "pairs": 40, "skips": {EVIL: 2, "cut_off": 1}})
    return BuildResult(run)


def results(tmp_path: Path) -> dict[str, Any]:
    judged: dict[str, dict[str, bool | Skip]] = {"new_name": {str(n): n > 9 for n in range(120)}, EVIL: {"1": True}}
    before = {"new_name": {str(n): False for n in range(120)}}
    return {
        "run": built(tmp_path),
        "findings": Findings([Finding("PF206", "warning", EVIL, row=3), Finding("PF901", "error", EVIL)], rows=9),
        "shortcuts": audit(rows()),
        "verdict": verdict(judged, before),
    }


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("run", ["cut off</th>", 'class="turn chosen"', "43 prompts x 1 context"]),
        ("findings", ["PF206", "PF901", "9 rows: 1 error, 1 warning"]),
        ("shortcuts", ["Qwen", "verdict"]),
        ("verdict", ["new_name", "FAIL", "91.7%", "at least 95%", "+91.7 ["]),
    ],
)
def test_the_main_results_are_tables(tmp_path: Path, name: str, cells: list[str]) -> None:
    shown = results(tmp_path)[name]._repr_html_()
    assert shown.startswith("<style>") and shown.count("<table>") >= 1 and shown.count("<script") == 0
    assert ("&lt;script&gt;" in shown or name == "shortcuts") and all(cell.lower() in shown.lower() for cell in cells)


def test_an_explanation_is_shown_in_words() -> None:
    assert "<p>" in Explanation("PF501")._repr_html_()


def test_the_main_results_become_data_frames(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    frames = {name: result.to_pandas() for name, result in results(tmp_path).items()}
    assert len(frames["run"]) == 40 and {"chosen", "rejected", "judge"} <= {*frames["run"].columns}
    assert len(RunView(built(tmp_path).run).to_pandas()) == 40
    assert frames["findings"]["code"].tolist() == ["PF206", "PF901"]
    assert frames["shortcuts"]["feature"].tolist() == ["I am Qwen"]
    measured = frames["verdict"].set_index("measure").loc["new_name"]
    assert measured["now"] == pytest.approx(110 / 120, abs=1e-4) and measured["before"] == 0
    assert measured["now_low"] < measured["now"] < measured["now_high"] and not measured["ok"]


def test_a_missing_pandas_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in results(tmp_path).values():
        with pytest.raises(InputError, match="to_pandas needs pandas, which is not installed") as error:
            result.to_pandas()
        assert error.value.fix == "pip install pandas"
