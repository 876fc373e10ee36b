"""kill -9 at any moment: the same command goes on, and ends as if nothing had been."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--judge"]])
def test_twenty_kills_change_nothing(more: list[str]) -> None:
    # In a process of its own, which forks: pytest's has threads.
    words = [sys.executable, str(KILLS), "--kills", "20", *more]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("20 kills, every run ended with the same bytes")
