"""Evidence survives whatever happens to the process, the disk or the file."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pairforge.errors import InputError
from pairforge.store import Store
from pairforge.types import Answer, digest

SETTINGS = {"model": "m", "temperature": 0.0}


def test_answers_come_back_and_the_first_one_stands(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_answers(SETTINGS, {("p", 0): Answer("a", "stop", 3)})
    store.add_answers(SETTINGS, {("p", 0): Answer("b", "stop"), ("p", 1): Answer("c", "length")})
    again = Store(tmp_path)
    assert again.answers(SETTINGS) == {("p", 0): Answer("a", "stop"), ("p", 1): Answer("c", "length")}
    assert again.answers({**SETTINGS, "temperature": 1.0}) == {}


def test_answers_are_copied_to_another_setting_where_it_has_none(tmp_path: Path) -> None:
    store, other = Store(tmp_path), {"model": "other"}
    store.add_answers(SETTINGS, {("p", 0): Answer("a", "stop", 3), ("p", 1): Answer("b", "length")})
    store.add_answers(other, {("p", 0): Answer("own", "stop")})
    store.copy_answers(SETTINGS, other, ["p"])
    assert store.answers(other) == {("p", 0): Answer("own", "stop"), ("p", 1): Answer("b", "length")}
    assert len(store.answers(SETTINGS)) == 2


def test_scores_go_by_prompt_and_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_scores(SETTINGS, {("p", "a"): 0.5})
    assert store.scores(SETTINGS) == {("p", digest("a")): 0.5}


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from pairforge.store import Store
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


def test_of_two_processes_the_first_answer_stands_for_both(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    assert one.add_answers(SETTINGS, {("p", 0): Answer("a", "stop")}) == {("p", 0): Answer("a", "stop")}
    both = {("p", 0): Answer("b", "stop"), ("p", 1): Answer("c", "stop")}
    assert two.add_answers(SETTINGS, both) == {("p", 0): Answer("a", "stop"), ("p", 1): Answer("c", "stop")}


def test_a_store_that_lost_its_end_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_answers(SETTINGS, {("p", index): Answer("a" * 1000, "stop") for index in range(100)})
    store.close()
    whole = (tmp_path / "evidence.db").read_bytes()
    (tmp_path / "evidence.db").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"evidence\.db.*--fresh"):
        Store(tmp_path).answers(SETTINGS)
    assert (tmp_path / "evidence.db").stat().st_size == len(whole) // 2


def test_a_write_ahead_log_cut_anywhere_loses_no_more_than_its_last_commits(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from pairforge.store import Store
from pairforge.types import Answer
store = Store(Path({str(tmp_path)!r}))
for i in range(20):
    store.add_answers({{"m": 1}}, {{("p", i): Answer(str(i) * 500, "stop")}})
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    log = tmp_path / "evidence.db-wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size * 2 // 3])
    left = Store(tmp_path).answers({"m": 1})
    assert 0 < len(left) < 20 and set(left) == {("p", i) for i in range(len(left))}


def test_forgetting_is_of_one_setting_and_can_be_tried_dry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for model in "ab":
        store.add_answers({"model": model}, {("p", 0): Answer("x", "stop")})
    assert store.forget({"model": "a"}, dry=True) == 1 == len(store.answers({"model": "a"}))
    assert store.forget({"model": "a"}) == 1 and not store.answers({"model": "a"})
    assert store.answers({"model": "b"})


def test_answers_are_returned_by_prompt_and_an_id_is_seen_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_answers(SETTINGS, {(name, 0): Answer(name, "stop") for name in "abc"})
    assert store.answers(SETTINGS, ["c", "x", "a"]) == {(name, 0): Answer(name, "stop") for name in "ca"}
    assert store.seen_before(["a", "b", "a"]) == set()
    assert store.seen_before(["b", "c"]) == {"b"} and Store(tmp_path).seen_before(["b"]) == set()
    assert store.seen_before(["b"], new=True) == set()
