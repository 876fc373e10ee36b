"""Evidence survives, derived files are whole or absent, and who is in the way is named."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.run import Run, TrainedModel, latest, out_dir, run_names

SETTINGS = {"model": "m", "temperature": 0.0}
A, B = {"model": "a"}, {"model": "b"}
COUNTS: dict[str, Any] = {"prompts": 1, "contexts": 1, "pairs": 1, "skips": {}}


def test_same_settings_same_folder_other_settings_another(tmp_path: Path) -> None:
    run = Run.of(tmp_path, "correct", A)
    run.finish([{"x": "é"}], [], COUNTS)
    assert Run.of(tmp_path, "correct", A).complete
    assert not Run.of(tmp_path, "correct", B).complete
    assert run.pairs.read_text("utf-8") == '{"x": "é"}\n'
    assert json.loads((run.path / "run.json").read_text())["settings"] == A


def test_what_a_server_refused_makes_no_other_run(tmp_path: Path) -> None:
    run = Run.of(tmp_path, "correct", {"sampling": {"temperature": 0.0}})
    run.settings = {"sampling": {"temperature": 0.0, "sent_as": {"temperature": None}}}
    run.finish([], [], COUNTS)
    assert Run.of(tmp_path, "correct", {"sampling": {"temperature": 0.0}}).path == run.path
    assert Run.of(tmp_path, "correct", run.settings).path == run.path


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


def test_the_lock_of_another_user_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.of(tmp_path, "correct", A)
    (run.path / ".lock").mkdir(parents=True)  # as little to be opened as a file without the right to
    with pytest.raises(InputError, match="in use"), run.lock():
        pass
    assert run.in_use()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match="belongs to another user"), run.lock():
        pass


def test_the_query_of_a_url_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["pairforge", "correct", "--base-url", "http://host/v1?key=SECRET", "--to", "who?"]
    monkeypatch.setattr("sys.argv", words)
    run = Run.of(tmp_path, "correct", A)
    with run.lock():
        assert run.owner["argv"] == [*words[:3], "http://host/v1?...", *words[4:]]


def test_a_run_that_can_not_be_opened_is_passed_over(tmp_path: Path) -> None:
    Run.of(tmp_path, "correct", A).finish([], [], COUNTS)
    (tmp_path / "correct-x" / "run.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"run\.json can't be read"):
        Run.load(tmp_path / "correct-x")
    assert Run.at(tmp_path / "correct-x") is None


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


@pytest.mark.parametrize(
    "value", ["NaN", "1e999", '"\\ud800"', '{"a":' * 65 + "1" + "}" * 65, "[" * 10**5 + "]" * 10**5]
)
def test_what_can_not_be_written_again_is_no_run(tmp_path: Path, value: str) -> None:
    Run.of(tmp_path, "correct", A).finish([], [], {**COUNTS, "more": "HERE"})
    file = Run.of(tmp_path, "correct", A).path / "run.json"
    file.write_text(file.read_text().replace('"HERE"', value))
    with pytest.raises(InputError, match=r"run\.json can't be read"):
        Run.load(file.parent)


def test_what_another_try_may_mend_leaves_a_run_open(tmp_path: Path) -> None:
    for reason, complete in {"failed": False, "unjudged": False, "tie": True}.items():
        Run.of(tmp_path, reason, A).finish([], [], COUNTS | {"skips": {reason: 1}})
        assert Run.of(tmp_path, reason, A).complete is complete


@pytest.mark.parametrize(
    "name", ["latest", "latest~3", "", "a/b", "..", "a b", "-x", "x" * 65, "a\x1b[31m", "correct-*"]
)
def test_a_name_that_could_mean_something_else_is_refused(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path / "correct-one", "correct", {})
    with pytest.raises(InputError, match="--name"):
        run.give_name(name)
    assert run.name == "" and not run.path.exists()


@pytest.mark.parametrize("text", ["\x1b[2J", "a b", "../x", "latest run", "x" * 65])
def test_a_name_that_somebody_gave_is_one_or_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "name.txt").write_text(text)
    assert Run(tmp_path / "run", "", {}).name == ""
    (tmp_path / "secret").write_text("hf_token")
    (tmp_path / "run" / "name.txt").unlink()
    (tmp_path / "run" / "name.txt").symlink_to(tmp_path / "secret")
    assert Run(tmp_path / "run", "", {}).name == ""


def test_two_runs_never_have_the_same_name(tmp_path: Path) -> None:
    one, two = (Run(tmp_path / f"correct-{name}", "correct", {}) for name in ("one", "two"))
    for run in (one, two):
        run.finish([], [], COUNTS)
    one.give_name("erste-Probe")
    one.give_name("erste-Probe")
    for taken in ("erste-Probe", "correct-one"):
        with pytest.raises(InputError, match="--name"):
            two.give_name(taken)
    one.give_name("second")
    two.give_name("erste-Probe")
    assert Run.named(tmp_path, "second") == one.path and Run.named(tmp_path, "erste-Probe") == two.path
    assert run_names(tmp_path) == ["latest", "second", "erste-Probe", "correct-one", "correct-two"]


@pytest.mark.parametrize("ok", [1, "true", [True], {}, None])
def test_a_verdict_of_another_type_is_no_verdict(tmp_path: Path, ok: object) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "verdict.json").write_text(json.dumps({"ok": ok}))
    model = TrainedModel.at(tmp_path)
    assert model and model.outcome == "no verdict"
