"""What the shell completes: runs, bundled sets, codes and shapes, in any case, with files first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from test_house import HEAVY

from pairforge.cli import main
from pairforge.run import Run


def completed(line: str) -> list[tuple[str, str]]:
    *before, last = line.split(" ")
    found = ShellComplete(main, {}, "pairforge", "_PAIRFORGE_COMPLETE").get_completions(before, last)
    return [(item.type, item.value) for item in found]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("show f", ["first"]),
        ("validate correct-", ["correct-0123456789"]),
        ("evaluate --run la", ["latest"]),
        ("correct -p identity.", ["identity.train", "identity.eval"]),
        ("convert x y --to l", ["llamafactory"]),
        ("validate --explain pf41", ["PF410", "PF411", "PF412", "PF413", "PF414", "PF415", "PF416"]),
        ("correct --inside u", ["url"]),
        ("correct --case s", ["smart"]),
        ("runs d", ["diff"]),
        ("correct -m po", ["pocket"]),
    ],
)
def test_words_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, values: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path / "pairforge-out" / "correct-0123456789", "correct", {"model": "m"})
    run.finish([], [], {"pairs": 0, "skips": {}})
    run.give_name("first")
    found = completed(line)
    assert [value for kind, value in found if kind == "plain"] == values
    assert all(kind == "plain" for kind, _ in found[1:]), "bash forgets what comes before a file"


def test_completing_loads_nothing_heavy() -> None:
    code = f"""
import sys
from click.shell_completion import ShellComplete
from pairforge.cli import main
for words in (["validate", "--explain"], ["show"], ["correct", "-p"], ["correct", "--inside"]):
    ShellComplete(main, {{}}, "pairforge", "X").get_completions(words, "")
assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
