"""The examples do what they say: an own script, and a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pairforge

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_somebody_s_own_script_trains_and_judges(tmp_path: Path) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", limit=16, output=str(tmp_path), quiet=True).run.path
    script = [sys.executable, str(ROOT / "examples" / "own_trainer.py")]
    done = subprocess.run(
        [*script, str(run / "pairs.jsonl"), "pocket", "tuned"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1, "four steps teach no name\n" + done.stderr
    assert "verdict: FAIL" in done.stdout
    assert (tmp_path / "tuned" / "model.safetensors").exists()


@pytest.mark.slow
def test_rounds_sample_from_the_model_of_the_last_round(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "examples" / "iterate.py"), "2", "12"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "answers are right" in line]
    assert [line.partition(":")[0] for line in said] == ["before", "round 1", "round 2"]
    second = json.loads(max((tmp_path / "pairforge-out").glob("onpolicy-*/run.json"), key=_made).read_text())
    assert second["settings"]["model"].endswith("round-1")


def _made(file: Path) -> float:
    return file.stat().st_mtime


NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
SMALL = {"LIMIT = 200": "LIMIT = 12", "STEPS = 40": "STEPS = 2", "verdict_questions=20": "verdict_questions=4"}
SHOWS = """
import ast, sys
for cell in map(str.strip, open(sys.argv[1], encoding="utf-8").read().split("\\n# %%\\n")):
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"))
    if last:
        shown = eval(compile(ast.Expression(last.value), "<cell>", "eval"))
        print("shown:", getattr(shown, "_repr_html_", shown.__repr__)()[:200])
"""


def test_the_notebook_has_no_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = "\n# %%\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for large, small in SMALL.items():
        assert large in code
        code = code.replace(large, small)
    (tmp_path / "cells.py").write_text(code, "utf-8")
    command = [sys.executable, "-c", SHOWS, "cells.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    shown = [line for line in done.stdout.splitlines() if line.startswith("shown: ")]
    assert len(shown) == sum(cell["cell_type"] == "code" for cell in cells) - 1
