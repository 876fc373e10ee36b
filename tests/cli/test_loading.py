"""The import of a slow library is said while it goes on, once, and never with -q."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pairforge.cli.loading import loading_said
with loading_said(quiet=sys.argv[1] == "quiet"):
    import torch
    import transformers
print(torch.seen, transformers.seen)
"""


@pytest.mark.parametrize(("quiet", "said"), [("", "loading PyTorch, which takes some seconds\n"), ("quiet", "")])
def test_loading_is_said_once(tmp_path: Path, quiet: str, said: str) -> None:
    for name in ("torch", "transformers"):
        # It ends when the line is there, or after a while where none is to come.
        (tmp_path / f"{name}.py").write_text(f"import time\ntime.sleep({0.2 if quiet else 1.5})\nseen = True\n")
    command = [sys.executable, "-c", SCRIPT, quiet]
    env = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert (done.stdout, done.stderr) == ("True True\n", said)
