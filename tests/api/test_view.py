"""`view` opens what a user names, and ends with one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support import pair, write_jsonl

import pairforge
from pairforge import InputError
from pairforge.page import server

FOREIGN = [{"question": f"Q{number}", "good": "yes", "bad": "no"} for number in range(3)]


def asked(monkeypatch: pytest.MonkeyPatch, *names: Any, **options: Any) -> dict[str, Any]:
    """Open the sources, and return what the page says of them when all is read."""
    found: dict[str, Any] = {}

    def run(_: Any, routes: Any) -> None:
        browser = routes["GET", "/api/source"].__self__
        browser.thread.join()
        found.update(browser.source({}, {}))

    monkeypatch.setattr(server, "run", run)
    assert pairforge.view(*names, quiet=True, **options).ok
    return found


def test_files_of_any_shape_are_shown_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write_jsonl(tmp_path / "one.jsonl", [pair("a", "b"), pair("c", "d")])
    other = write_jsonl(tmp_path / "other.jsonl", [{"prompt": "Q", "chosen": "x", "rejected": "y"}, {"prompt": 3}])
    source = asked(monkeypatch, [str(one), str(other)])
    assert source["state"] == "ready" and [one["rows"] for one in source["sources"]] == [2, 1]
    assert source["rows"] == 3 and source["skips"] == 1 and not source["writable"]
    rows = asked(monkeypatch, FOREIGN, columns=["prompt=question", "chosen=good", "rejected=bad"])
    assert rows["rows"] == 3


def test_a_run_is_shown_with_its_skips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_jsonl(
        tmp_path / "a.jsonl", [{"prompt": q, "answers": a} for q, a in (("1?", ["x", "yy"]), ("2?", ["a", "b"]))]
    )
    options = {"prompts": ["1?", "2?"], "n": 2, "replay": str(file), "output": str(tmp_path / "out"), "quiet": True}
    pairforge.onpolicy(**options, judge="length", name="first")
    source = asked(monkeypatch, None, output=str(tmp_path / "out"))
    assert (source["title"], source["rows"], source["skips"]) == ("first", 1, 1)
    assert source["skip_reasons"] == [{"reason": "tie", "count": 1}] and source["judges"] == ["length"]


def test_what_can_not_be_shown_is_said_before_a_page_opens(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "pairs.jsonl", [pair("a", "b")])
    for wrong in ({"save": str(file)}, {"save": str(tmp_path / "out.csv")}, {"host": "192.0.2.1"}, {"port": 99_999}):
        with pytest.raises(InputError):
            pairforge.view(str(file), quiet=True, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="does not exist"):
        pairforge.view(str(tmp_path / "none.jsonl"), quiet=True)


@pytest.mark.slow
def test_the_command_says_where_the_page_is_and_ends_with_an_interrupt(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "pairs.jsonl", [pair("a", "b")])
    command = [sys.executable, "-m", "pairforge", "view", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    found = re.search(r"http://127\.0\.0\.1:\d+/$", process.stderr.readline().split(" (")[0])
    assert found
    with urllib.request.urlopen(found[0] + "api/source") as answer:
        assert answer.status == 200
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out == "the page of 1 row is closed\n" and "Traceback" not in err
