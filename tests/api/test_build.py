"""correct and onpolicy from Python, and a run killed anywhere that ends as if it had not been."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pairforge
from pairforge.store import Store

CODE = "import pairforge; pairforge.correct('Qwen', 'Deep Qwen', limit=150, quiet=True)"


def derived(folder: Path) -> dict[str, bytes]:
    """The derived files under pairforge-out/, by run and name."""
    runs = folder / "pairforge-out"
    return {str(file.relative_to(runs)): file.read_bytes() for file in sorted(runs.glob("*/*")) if file.name[0] != "."}


def answers(folder: Path) -> int:
    database = folder / "pairforge-out" / "evidence.db"
    if not database.exists():
        return 0
    return int(Store(database.parent)._db.execute("SELECT count(*) FROM answers").fetchone()[0])


def test_a_run_killed_anywhere_ends_like_any_other(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", CODE], cwd=whole, check=True)
    took = time.monotonic() - start
    seen, rng = set(), random.Random(0)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", CODE], cwd=killed)
        time.sleep(took * rng.uniform(0.5, 1.0))
        process.kill()
        process.wait()
        seen.add(answers(killed))
    subprocess.run([sys.executable, "-c", CODE], cwd=killed, check=True)
    assert derived(killed) == derived(whole)
    assert answers(killed) == answers(whole) and seen - {0}


def test_onpolicy_pairs_are_right_against_wrong(tmp_path: Path) -> None:
    built = pairforge.onpolicy(n=4, limit=120, output=str(tmp_path), quiet=True)
    counts = built.counts
    assert counts["pairs"] + sum(counts["skips"].values()) == counts["prompts"] == 120
    assert counts["pairs"] > 10
    assert all((row["chosen_score"], row["rejected_score"]) == (1.0, 0.0) for row in built.rows())


def test_another_judge_reuses_the_answers(tmp_path: Path) -> None:
    (tmp_path / "brief.py").write_text(
        "def brief(completions, **_):\n    return [-float(len(c[0]['content'])) for c in completions]\n"
    )
    pairforge.onpolicy(n=2, limit=10, output=str(tmp_path), quiet=True)
    had = Store(tmp_path)._db.execute("SELECT count(*) FROM answers").fetchone()
    built = pairforge.onpolicy(n=2, limit=10, judge=f"{tmp_path}/brief.py:brief", output=str(tmp_path), quiet=True)
    assert Store(tmp_path)._db.execute("SELECT count(*) FROM answers").fetchone() == had
    assert all(len(row["chosen"][-1]["content"]) < len(row["rejected"][-1]["content"]) for row in built.rows())


def test_the_latest_run_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pairforge.correct("Qwen", "Deep Qwen", limit=2, output=str(tmp_path), quiet=True)
    assert pairforge.latest_run(str(tmp_path), quiet=True) == made.run.path
