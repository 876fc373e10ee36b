"""Runs are listed with their state, shown with their settings, and removed only when told to."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support import pair, write_jsonl

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


def made(out: Path, name: str, pairs: int = 1, **settings: Any) -> Run:
    """Make a finished run with so many pairs, without asking anything."""
    run = Run(out / name, "correct", {"model": "pocket", **settings})
    rows = [pair(f"good {number}", "bad", id=f"{name}-{number}") for number in range(pairs)]
    run.finish(rows, [], {"pairs": pairs, "skips": {} if pairs else {"nothing_to_correct": 3}})
    return run


def shown(result: Any, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False)
    console.print(result)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_list_tells_runs_apart_in_80_columns(tmp_path: Path) -> None:
    run = made(tmp_path, "correct-0000000001", rules={"Qwen": "Deep Qwen"}, prompts={"source": "identity.train"})
    run.give_name("first")
    for name, ok in (("model", False), ("model-2", True), ("model-10", None)):
        (run.path / name).mkdir()
        (run.path / name / "config.json").touch()
        if ok is not None:
            (run.path / name / "verdict.json").write_text(json.dumps({"ok": ok}))
    made(tmp_path, "onpolicy-000000002", judge={"judge": "r.py:score"}, prompts={"source": "q.csv"})
    listed = pairforge.list_runs(output=str(tmp_path))
    text = shown(listed)
    assert max(map(len, text.splitlines())) <= 80
    for said in (
        "name: first", "Qwen -> Deep Qwen · prompts identity.train · model pocket", "judge r.py:score · prompts q.csv",
        "trained: model FAIL, model-2 PASS, model-10 no verdict",
    ):  # fmt: skip
        assert said in text
    assert "open:" not in text, "only the states that occur are explained"
    [line] = [line for line in listed.as_json()["runs"] if line["name"]]
    assert [one["outcome"] for one in line["trained"]] == ["FAIL", "PASS", "no verdict"]
    assert (line["rules"], line["prompts"]) == ({"Qwen": "Deep Qwen"}, "identity.train")


def test_trained_models_are_compared_by_their_figures_and_how_they_were_trained(tmp_path: Path) -> None:
    run = made(tmp_path, "correct-0000000001")
    shares = {"new_name": {"share": 0.0}, "general": {"share": 0.93}, "leak": {"share": "\x1b"}}
    guard = {"action": "stop", "alarm": {"step": 15, "message": "half a name", "restored": 5}}
    training = {"learning_rate": 1e-7, "loss_type": ["sigmoid", "sft"], "planned": 80}
    for name in ("model", "model-2"):
        (run.path / name).mkdir()
        (run.path / name / "config.json").touch()
        (run.path / name / "verdict.json").write_text(json.dumps({"verdict": "FAIL", "metrics": shares}))
    history = {"steps": 15, "training": training, "log": [], "guard": guard}
    (run.path / "model-2" / "history.json").write_text(json.dumps(history))
    listed = shown(pairforge.list_runs(output=str(tmp_path)))
    assert "trained: model FAIL (new_name 0.0%), model-2 FAIL (new_name 0.0%, stopped by the guard)" in (
        " ".join(listed.split())
    )
    view = pairforge.show_run(str(run.path))
    lines = [" ".join(line.split()) for line in shown(view).splitlines()]
    start = lines.index("trained: model FAIL new_name 0.0% general 93.0%")
    assert lines[start + 1 : start + 3] == [
        "trained: model-2 FAIL new_name 0.0% general 93.0%",
        "15 steps, lr 1e-07, sigmoid+sft, stopped by the guard",
    ]
    assert view.as_json()["trained"][1]["training"]["restored"] == 5


def test_what_is_no_run_or_can_t_be_read_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "push-0123456789" / "hub").mkdir(parents=True)
    for name, text in (("broken", "{"), ("list", "[]"), ("deep", "[" * 100_000), ("text", '{"command": 1}')):
        (tmp_path / f"correct-{name}").mkdir()
        (tmp_path / f"correct-{name}" / "run.json").write_text(text)
    counts = '{"command": "c", "settings": {"model": "m"}, "counts": {"pairs": "\\u001b[31m", "skips": {}}}'
    (tmp_path / "correct-count").mkdir()
    (tmp_path / "correct-count" / "run.json").write_text(counts)
    (tmp_path / "correct-owner").mkdir()
    (tmp_path / "correct-owner" / ".owner.json").write_text('{"argv": 1, "settings": [], "state": "stopped"}')
    runs = {Path(run["run"]).name: run["state"] for run in pairforge.list_runs(output=str(tmp_path)).runs}
    unreadable = dict.fromkeys(("broken", "count", "deep", "list", "text"), "unreadable")
    assert runs == {f"correct-{name}": state for name, state in (unreadable | {"owner": "stopped"}).items()}
    assert "unreadable: its files" in shown(pairforge.list_runs(output=str(tmp_path)))
    with pytest.raises(InputError, match=r"can't be read"):
        pairforge.show_run("correct-broken", output=str(tmp_path))


def test_texts_from_files_never_reach_the_terminal_as_control_codes(tmp_path: Path) -> None:
    evil = "\x1b]0;x\x07\x1b[31m\u202e"
    run = made(tmp_path, "correct-evil", 1, rules={evil: evil}, prompts={"source": evil}, judge={"judge": evil})
    (run.path / "name.txt").write_text(evil, "utf-8")
    stopped = Run(tmp_path / "correct-stopped", "correct", {"model": evil})
    with pytest.raises(KeyboardInterrupt), stopped.lock():
        raise KeyboardInterrupt
    owner = json.loads((stopped.path / ".owner.json").read_text())
    (stopped.path / ".owner.json").write_text(json.dumps(owner | {"argv": ["pairforge", "correct", evil]}))
    results = (
        pairforge.list_runs(output=str(tmp_path)),
        pairforge.show_run("correct-evil", output=str(tmp_path)),
        pairforge.show_run("correct-stopped", output=str(tmp_path)),
        pairforge.diff_runs("correct-evil", "latest", output=str(tmp_path)),
    )
    for text in map(shown, results):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_two_runs_are_compared_by_settings_counts_and_pairs(tmp_path: Path) -> None:
    one = made(tmp_path, "correct-one", 2, rules={"Qwen": "A"}, prompts={"digest": "0123456789abcdef"})
    rows = [pair("good 0", "bad", id="correct-one-0"), pair("x", "y", id="new-1"), pair("x", "z", id="new-2")]
    two = Run(tmp_path / "correct-two", "correct", {"model": "pocket", "rules": {"Qwen": "B"}})
    two.finish(rows, [], {"pairs": 3, "skips": {"cut": 1}})
    said = pairforge.diff_runs("correct-one", "correct-two", output=str(tmp_path))
    assert (said.removed, said.added, said.common) == (["correct-one-1"], ["new-1", "new-2"], 1)
    assert said.counts() == {"pairs": (2, 3), "cut": (0, 1)}
    assert "rules.Qwen: A -> B" in said.as_json()["settings"]
    text = shown(said)
    assert "pairs: 1 in both, 1 removed, 2 added" in text and "0123456789abcdef" not in text
    same = shown(pairforge.diff_runs(str(one.path), str(one.pairs), output=str(tmp_path)))
    assert "the same settings and counts" in same
    with pytest.raises(InputError, match="did you mean 'correct-two'"):
        pairforge.diff_runs("correct-one", "corect-two", output=str(tmp_path))


def test_runs_are_removed_by_pattern_emptiness_and_age(tmp_path: Path) -> None:
    made(tmp_path, "correct-old").give_name("first")
    made(tmp_path, "correct-new")
    trained = made(tmp_path, "onpolicy-empty-trained", 0)
    (trained.path / "model").mkdir()
    (trained.path / "model" / "config.json").touch()
    made(tmp_path, "onpolicy-empty", 0)
    os.utime(tmp_path / "correct-old" / "run.json", (0, 0))

    def would(*names: str, **more: Any) -> set[str]:
        removal = pairforge.remove_runs(names, output=str(tmp_path), **more)
        assert not removal.done
        return {Path(run).name for run in removal.runs}

    assert would("correct-*") == {"correct-old", "correct-new"}
    assert would("fir*") == {"correct-old"}, "a name that the user gave"
    assert would(empty=True) == {"onpolicy-empty"}, "a trained model is nothing empty"
    assert would("correct-*", empty=True) == set()
    assert would(older_than=1) == {"correct-old"}
    assert pairforge.remove_runs(["onpolicy-empty-*"], output=str(tmp_path)).models == [str(trained.path / "model")]
    with pytest.raises(InputError, match=r"no run is like x-\*"):
        would("x-*")
    with pytest.raises(InputError, match="no run is named"):
        would()
    with Run(tmp_path / "correct-new", "correct", {}).lock():
        assert would("correct-*") == {"correct-old"}, "one in use is not taken by a pattern"
    assert pairforge.remove_runs((), empty=True, yes=True, output=str(tmp_path)).done
    assert not (tmp_path / "onpolicy-empty").exists() and trained.path.exists()


def test_looking_at_runs_writes_nothing(tmp_path: Path) -> None:
    made(tmp_path, "correct-one")
    (tmp_path / "correct-one" / "note.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    for look in (pairforge.list_runs, pairforge.show_run):
        look(output=str(tmp_path), quiet=True)
    pairforge.remove_runs(["correct-*"], output=str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_another_users_folder_is_a_line_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "correct-mine")
    (tmp_path / "correct-theirs").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "correct-theirs")
    states = {Path(run["run"]).name: run["state"] for run in pairforge.list_runs(output=str(tmp_path)).runs}
    assert states == {"correct-mine": "complete", "correct-theirs": "unreadable"}
    with pytest.raises(InputError, match="belongs to another user"):
        pairforge.pairs_file("correct-theirs", str(tmp_path))
