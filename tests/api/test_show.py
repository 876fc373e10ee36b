"""Pairs are shown from a run, a file, or the latest run."""

from pathlib import Path

import pairforge


def test_show_by_run_file_or_latest(tmp_path: Path) -> None:
    run = pairforge.correct("Qwen", "Deep Qwen", limit=3, output=str(tmp_path), quiet=True).run
    shown = [
        pairforge.show(data, limit=2, output=str(tmp_path), quiet=True)
        for data in (str(run.path), str(run.pairs), None)
    ]
    assert shown[0] == shown[1] == shown[2]
    assert [number for number, _ in shown[0].rows] == [0, 1]
    assert shown[0].as_json()["pairs"][0]["chosen"][-1]["role"] == "assistant"
