"""docs/xray.md shows what is really printed. Run as a script, this file writes the outputs anew."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

from click.testing import CliRunner

from pairforge.cli import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "xray.md"
BLOCK = re.compile(r"^```console\n\$ pairforge (.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def written(page: str, folder: Path) -> str:
    """The page with the output of each command as it is now."""
    row = re.search(r"^```json\n(.*\n)```$", page, re.MULTILINE)
    assert row
    (folder / "pairs.jsonl").write_text(row[1], "utf-8")

    def block(found: re.Match[str]) -> str:
        words = [str(folder / word) if word == "pairs.jsonl" else word for word in shlex.split(found[1])]
        done = CliRunner().invoke(main, words, env={"COLUMNS": "100"})
        assert done.exit_code == 0, done.output
        lines = (line.rstrip() for line in done.stdout.rstrip().splitlines())
        return "\n".join(["```console", f"$ pairforge {found[1]}", *lines, "```"])

    return BLOCK.sub(block, page)


def test_the_page_is_true(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert len(BLOCK.findall(page)) == 2
    assert written(page, tmp_path) == page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PAGE.write_text(written(PAGE.read_text("utf-8"), Path(scratch)), "utf-8")
