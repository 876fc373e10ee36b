"""kill -9 at any moment: the same command goes on, and ends as if nothing had been."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "more"), [(20, []), (20, ["--judge"]), (5, ["--tasks"])])
def test_kills_change_nothing(kills: int, more: list[str]) -> None:
    # In a process of its own, which forks: pytest's has threads.
    words = [sys.executable, str(KILLS), "--kills", str(kills), *more]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    hit, said = done.stdout.split(" ", 1)
    assert int(hit) >= kills and said.startswith("kills, every run ended with the same bytes")
