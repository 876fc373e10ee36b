"""Runs are listed with their state, shown with their settings, and removed only when told to."""

import sys
from pathlib import Path

import pytest
from support import write_jsonl

import pairforge
from pairforge.errors import InputError
from pairforge.run import Run
from pairforge.store import Store


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two finished runs on the same answers."""
    file = tmp_path / "answers.jsonl"
    write_jsonl(file, ({"prompt": f"q{i}", "answers": ["I am Qwen."]} for i in range(3)))
    (tmp_path / "q.txt").write_text("q0\nq1\nq2\n")
    for name in ("Deep Qwen", "Athene"):
        pairforge.correct(
            "Qwen",
            name,
            prompts=str(tmp_path / "q.txt"),
            no_system=True,
            replay=str(file),
            output=str(tmp_path / "o"),
            quiet=True,
        )
    return tmp_path / "o"


def test_all_runs_are_listed_whatever_their_state(out: Path) -> None:
    stopped = Run(out / "onpolicy-0123456789", "onpolicy", {})
    with pytest.raises(KeyboardInterrupt), stopped.lock():
        raise KeyboardInterrupt
    with Run(out / "onpolicy-used", "onpolicy", {}).lock():
        states = {Path(run["run"]).name: run["state"] for run in pairforge.list_runs(output=str(out)).runs}
    assert sorted(states.values()) == ["complete", "complete", "in use", "stopped"]
    assert states["onpolicy-0123456789"] == "stopped" and states["onpolicy-used"] == "in use"
    assert [run["pairs"] for run in pairforge.list_runs(output=str(out)).as_json()["runs"]][-2:] == [3, 3]


@pytest.mark.parametrize(
    ("program", "resume"),
    [
        ("/venv/bin/pairforge", "pairforge correct --to 'Deep Qwen'"),
        ("/lib/pairforge/__main__.py", "pairforge correct --to 'Deep Qwen'"),
        ("/home/me/pairforge/train.py", ""),
    ],
)
def test_a_run_that_stopped_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, resume: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "correct", "--to", "Deep Qwen"])
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "correct-0123456789", "correct", {"model": "m"}).lock():
        raise KeyboardInterrupt
    [run] = pairforge.list_runs(output=str(tmp_path)).runs
    assert (run["state"], run["resume"], run["model"]) == ("stopped", resume, "m")


def test_a_run_that_was_killed_is_told_to_the_next(out: Path) -> None:
    run = Run(out / "correct-killed", "correct", {})
    with run.lock() as died:
        assert died is None
        kept = (run.path / ".owner.json").read_bytes()
    (run.path / ".owner.json").write_bytes(kept)
    with run.lock() as died:
        assert died and died.startswith("process ")


def test_a_run_is_shown_by_path_by_name_and_as_the_latest(out: Path) -> None:
    latest = pairforge.show_run(output=str(out), quiet=True)
    assert latest.run.settings["rules"] == {"Qwen": "Athene"}
    by_name = pairforge.show_run(latest.run.path.name, output=str(out))
    assert pairforge.pairs_file(latest.run.path.name, str(out)) == latest.run.pairs
    assert by_name.as_json() == pairforge.show_run(str(latest.run.path)).as_json() == latest.as_json()
    with pytest.raises(InputError, match="runs list"):
        pairforge.show_run("correct-nothing", output=str(out))


def test_removing_asks_first_and_keeps_answers_that_others_use(out: Path) -> None:
    paths = [run["run"] for run in pairforge.list_runs(output=str(out)).runs]
    dry = pairforge.remove_runs(paths, answers=True, output=str(out))
    assert not dry.done and dry.answers == 3 and len(pairforge.list_runs(output=str(out)).runs) == 2
    one = pairforge.remove_runs([Path(paths[0]).name], answers=True, yes=True, output=str(out))
    assert one.done and one.answers == 0 and not Path(paths[0]).exists()
    settings = pairforge.show_run(paths[1]).run.settings["sampling"]
    assert len(Store(out).answers(settings)) == 3
    assert pairforge.remove_runs([paths[1]], answers=True, yes=True, output=str(out)).answers == 3
    assert not Store(out).answers(settings) and not pairforge.list_runs(output=str(out)).runs


def test_removing_twice_is_removing_once_and_looking_changes_nothing(out: Path) -> None:
    path = Path(pairforge.list_runs(output=str(out)).runs[0]["run"])
    with pytest.raises(KeyboardInterrupt), Run.load(path).lock():
        raise KeyboardInterrupt
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    pairforge.remove_runs([path.name, str(path)], output=str(out))
    assert {file: file.read_bytes() for file in before} == before
    assert len(pairforge.remove_runs([path.name, str(path)], yes=True, output=str(out)).runs) == 1


def test_only_runs_are_removed(out: Path, tmp_path: Path) -> None:
    (foreign := tmp_path / "mine-1").mkdir()
    (foreign / ".lock").touch()
    with pytest.raises(InputError, match="no run"):
        pairforge.remove_runs([str(foreign)], yes=True, output=str(out))
    (foreign / "run.json").write_text("{}")
    with pytest.raises(InputError, match="not a run that can be read"):
        pairforge.remove_runs([str(foreign)], yes=True, output=str(out))
    assert foreign.exists()


def test_answers_stay_that_a_stopped_run_or_pairs_beside_use(out: Path) -> None:
    one, two = (run["run"] for run in pairforge.list_runs(output=str(out)).runs)
    used = Run.load(Path(one)).settings["sampling"]
    for settings in ({"model": "m", "sampling": used}, {"model": "m", "sampling": {}, "retain": {"sampling": used}}):
        stopped = Run(out / "onpolicy-0123456789", "onpolicy", settings)
        with pytest.raises(KeyboardInterrupt), stopped.lock():
            raise KeyboardInterrupt
        assert pairforge.show_run("onpolicy-0123456789", output=str(out)).run.settings == settings
        assert pairforge.remove_runs([one, two], answers=True, output=str(out)).answers == 0


def test_where_there_is_no_run_none_is_made_to_show(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run under"):
        pairforge.show_run(output=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_run_in_use_is_not_removed(out: Path) -> None:
    path = pairforge.list_runs(output=str(out)).runs[0]["run"]
    with Run(Path(path), "correct", {}).lock(), pytest.raises(InputError, match="in use by process"):
        pairforge.remove_runs([path], yes=True, output=str(out))
    assert Path(path).exists()
