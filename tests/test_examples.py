"""The example of an own script does what it says."""

from __future__ import annotations

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
