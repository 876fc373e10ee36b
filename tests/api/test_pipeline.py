"""correct and onpolicy from Python."""

from pathlib import Path

import pytest

import pairforge
from pairforge.store import Store


@pytest.mark.slow
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
