"""Evidence survives, derived files are whole or absent, and who is in the way is named."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.run import Run, Store, latest, out_dir, write_atomic
from pairforge.types import Answer, digest

SETTINGS = {"model": "m", "temperature": 0.0}
A, B = {"model": "a"}, {"model": "b"}
COUNTS: dict[str, Any] = {"prompts": 1, "contexts": 1, "pairs": 1, "skips": {}}


def test_answers_come_back_and_the_first_one_stands(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_answers(SETTINGS, {("p", 0): Answer("a", "stop", 3)})
    store.add_answers(SETTINGS, {("p", 0): Answer("b", "stop"), ("p", 1): Answer("c", "length")})
    again = Store(tmp_path)
    assert again.answers(SETTINGS) == {("p", 0): Answer("a", "stop"), ("p", 1): Answer("c", "length")}
    assert again.answers({**SETTINGS, "temperature": 1.0}) == {}


def test_scores_go_by_prompt_and_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_scores(SETTINGS, "p", {"a": 0.5})
    assert store.scores(SETTINGS) == {("p", digest("a")): 0.5}


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from pairforge.run import Store
from pairforge.types import Answer
store = Store(Path({str(tmp_path)!r}))
for i in range(100):
    store.add_answers({{"m": 1}}, {{("p", i): Answer(str(i), "stop")}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(Store(tmp_path).answers({"m": 1})) == 100


@pytest.mark.parametrize("fresh", [False, True])
def test_a_broken_store_is_named_and_never_deleted(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "evidence.db").write_bytes(b"not a database at all" * 100)
    if fresh:
        Store(tmp_path, fresh=True)
        assert (tmp_path / "evidence-1.db").read_bytes().startswith(b"not a database")
    else:
        with pytest.raises(InputError, match=r"evidence\.db.*--fresh"):
            Store(tmp_path)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "evidence.db") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="newer pairforge"):
        Store(tmp_path)


def test_same_settings_same_folder_other_settings_another(tmp_path: Path) -> None:
    run = Run.of(tmp_path, "correct", A)
    run.finish([{"x": "é"}], [], COUNTS)
    assert Run.of(tmp_path, "correct", A).complete
    assert not Run.of(tmp_path, "correct", B).complete
    assert run.pairs.read_text("utf-8") == '{"x": "é"}\n'
    assert json.loads((run.path / "run.json").read_text())["settings"] == A


def test_the_latest_run_is_the_one_asked_for_last(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    for number, settings in enumerate([A, B]):
        Run.of(tmp_path, "correct", settings).finish([], [], COUNTS)
        os.utime(Run.of(tmp_path, "correct", settings).path / "run.json", ns=(0, 10**18 - number))
    assert latest(tmp_path).settings == A  # type: ignore[union-attr]


def test_a_second_process_is_told_and_rubbish_is_swept(tmp_path: Path) -> None:
    run = Run.of(tmp_path, "correct", {})
    run.path.mkdir()
    (run.path / ".pairs.jsonl.1.tmp").write_text("half")
    with run.lock():
        assert not list(run.path.glob("*.tmp"))
        with (
            pytest.raises(InputError, match=f"in use by process {os.getpid()}"),
            Run.of(tmp_path, "correct", {}).lock(),
        ):
            pass
    with run.lock():
        pass


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "new" / "x"
    write_atomic(file, "one")
    write_atomic(file, b"two")
    assert file.read_text() == "two" and os.listdir(file.parent) == ["x"]
    (tmp_path / "plain").write_text("")
    with pytest.raises(InputError, match="can't write"):
        write_atomic(tmp_path / "plain" / "x", "one")


def test_out_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAIRFORGE_OUT", raising=False)
    assert out_dir() == Path("pairforge-out")
    monkeypatch.setenv("PAIRFORGE_OUT", "/there")
    assert out_dir() == Path("/there") and out_dir("here") == Path("here")


def test_a_broken_run_is_made_again_and_passed_over(tmp_path: Path) -> None:
    Run.of(tmp_path, "correct", A).finish([], [], COUNTS)
    broken = Run.of(tmp_path, "correct", B)
    broken.finish([], [], COUNTS)
    (broken.path / "run.json").write_text('{"command": "correct", "settings"')
    assert not Run.of(tmp_path, "correct", B).complete
    found = latest(tmp_path)
    assert found is not None
    assert found.settings == A
    with pytest.raises(InputError, match=r"run\.json can't be read"):
        Run.load(broken.path)


def test_what_another_try_may_mend_leaves_a_run_open(tmp_path: Path) -> None:
    for reason, complete in {"failed": False, "unjudged": False, "tie": True}.items():
        Run.of(tmp_path, reason, A).finish([], [], COUNTS | {"skips": {reason: 1}})
        assert Run.of(tmp_path, reason, A).complete is complete
