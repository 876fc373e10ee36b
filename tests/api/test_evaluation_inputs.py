"""What evaluate judges, and that a file is data: the order of the sources, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge.api.evaluation_inputs import Comparison, find_comparison
from pairforge.options.asking import EvaluateOptions
from pairforge.run import Run

HELPFUL = "You're a helpful assistant."


def make_run(out: Path, new: str = "Deep Qwen", pairs: int = 1, **settings: Any) -> Run:
    made = Run.of(out, "correct", {"model": "pocket", "rules": {"Qwen": new}, "contexts": [None], **settings})
    made.path.mkdir(parents=True)
    made.finish([], [], {"pairs": pairs, "skips": {}})
    return made


def make_model(folder: Path, verdict: Any = None, history: Any = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for name, value in (("verdict.json", verdict), ("history.json", history)):
        if value is not None:
            (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def find(tmp_path: Path, model: Path | str | None = None, **options: Any) -> Comparison:
    return find_comparison(
        EvaluateOptions(None if model is None else str(model), output=str(tmp_path / "out"), **options)
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "out")


VERDICT = {"base": "base/model", "rules": {"Qwen": "Nova"}, "contexts": ["no system message", "Be brief."]}


def test_a_copied_model_carries_its_names_and_the_latest_run_has_no_say(tmp_path: Path, run: Run) -> None:
    found = find(tmp_path, make_model(tmp_path / "copy", VERDICT))
    assert (found.base, found.rules, found.contexts) == ("base/model", {"Qwen": "Nova"}, [None, "Be brief."])
    assert found.origin == str(tmp_path / "copy" / "verdict.json")
    assert str(found).endswith(f": Qwen -> Nova, 2 contexts, names from {found.origin}")


def test_options_come_first_each_for_itself(tmp_path: Path, run: Run) -> None:
    model = make_model(run.path / "model", VERDICT)
    found = find(tmp_path, model, from_="Qwen", to="Athene", no_system=True)
    assert (found.rules, found.contexts, found.base) == ({"Qwen": "Athene"}, [None], "base/model")
    assert found.origin == "the options"
    assert find(tmp_path, model, base="other").base == "other"


def test_the_languages_are_those_of_the_options_then_of_the_file_else_all(tmp_path: Path, run: Run) -> None:
    model = make_model(tmp_path / "copy", VERDICT | {"languages": ["en"]})
    assert find(tmp_path, model).languages == ["en"]
    assert ", 2 contexts, English alone, names from" in str(find(tmp_path, model))
    assert find(tmp_path, model, lang=["zh", "en", "zh"]).languages == ["zh", "en"]
    assert find(tmp_path, make_model(tmp_path / "other", VERDICT)).languages == ["en", "zh"]
    with pytest.raises(pairforge.InputError, match="--lang de: there are no questions in this language"):
        find(tmp_path, model, lang="de")


def test_then_the_run_that_the_model_is_in(tmp_path: Path, run: Run) -> None:
    model = make_model(run.path / "model")
    make_run(tmp_path / "out", "Athene")
    found = find(tmp_path, model)
    assert (found.base, found.rules, found.run) == ("pocket", {"Qwen": "Deep Qwen"}, run.path.name)
    assert found.origin == str(run.path)


def test_a_run_that_is_named_comes_before_what_lies_beside_the_model(tmp_path: Path, run: Run) -> None:
    model, other = make_model(tmp_path / "copy", VERDICT), make_run(tmp_path / "out", "Athene")
    found = find(tmp_path, model, run=other.path.name)
    assert (found.rules, found.base, found.run) == ({"Qwen": "Athene"}, None, other.path.name)
    copied = make_model(tmp_path / "second", VERDICT | {"run": run.path.name})
    assert find(tmp_path, copied, run=str(run.path)).base == "base/model"


def test_without_a_model_the_one_trained_last_on_the_latest_run_is_judged(tmp_path: Path, run: Run) -> None:
    make_model(run.path / "model")
    make_model(run.path / "model-2")
    make_run(tmp_path / "out", "Empty", pairs=0)
    found = find(tmp_path)
    assert (found.model, found.base) == (str(run.path / "model-2"), "pocket")
    assert found.origin == f"the latest run, {run.path}"


def test_another_model_gets_nothing_from_the_latest_run(tmp_path: Path, run: Run) -> None:
    found = find(tmp_path, "pocket")
    assert (found.base, found.rules, found.contexts, found.run) == (None, {}, [None, HELPFUL], None)
    assert str(found) == "model pocket, without a base: no names, 2 contexts"


def test_a_run_on_which_no_model_was_trained_says_so_at_once(tmp_path: Path, run: Run) -> None:
    for options in ({}, {"run": run.path.name}):
        with pytest.raises(pairforge.InputError, match="no model was trained on") as caught:
            find(tmp_path, **options)
        assert "pairforge train dpo" in str(caught.value) and "-m" in str(caught.value)


def test_without_a_model_and_a_run_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match=r"no run under .* and no model is given"):
        find(tmp_path)


def test_a_run_is_not_a_model(tmp_path: Path, run: Run) -> None:
    with pytest.raises(pairforge.InputError, match="is a run, not a model"):
        find(tmp_path, run.path)
    for name in (run.path.name, "latest"):
        with pytest.raises(pairforge.InputError, match=f"--run {name}"):
            find(tmp_path, name)


def test_a_model_is_not_its_own_base_however_it_is_spelt(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m")
    for base in (str(model), f"{model}/", str(model / ".." / "m")):
        with pytest.raises(pairforge.InputError, match="both"):
            find(tmp_path, model, base=base)


def test_a_base_that_was_moved_is_missed_in_one_line(tmp_path: Path) -> None:
    for verdict in ({"base": "/nowhere/base"}, {"base": "models/base", "base_is_folder": True}):
        model = make_model(tmp_path / str(len(verdict)), verdict)
        with pytest.raises(pairforge.InputError, match="is not there") as caught:
            find(tmp_path, model)
        assert str(model / "verdict.json") in caught.value.message
        assert find(tmp_path, model, base="pocket").base == "pocket"
        assert find(tmp_path, model, base_url="http://localhost:1/v1").base == verdict["base"]


def test_the_base_is_loaded_in_its_revision(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m", VERDICT | {"revision": "abc"})
    assert find(tmp_path, model).revisions == {"base/model": "abc"}
    made = make_run(tmp_path / "out", model="org/base", revision="def")
    trained = make_model(made.path / "model")
    assert find(tmp_path, trained).revisions == {"org/base": "def"}
    assert find(tmp_path, "org/base", run=made.path.name).revisions == {"org/base": "def"}
    of_pocket = make_model(tmp_path / "p", {"base": "pocket", "revision": "main"})
    assert find(tmp_path, of_pocket, revision="abc").revisions == {}


def test_what_is_written_is_found_again(tmp_path: Path, run: Run) -> None:
    base = make_model(tmp_path / "base")
    model = make_model(run.path / "model", VERDICT | {"base": str(base)})
    found = find(tmp_path, model, lang="zh")
    again = find(tmp_path, make_model(tmp_path / "copy", json.dumps(found.as_json())))
    assert (again.base, again.rules, again.contexts) == (found.base, found.rules, found.contexts)
    assert again.languages == ["zh"]
    assert found.as_json()["base_is_folder"] is True


@pytest.mark.parametrize(
    ("verdict", "what"),
    [
        ("{", "can't be read"),
        ("[1]", "is not a verdict: it is a JSON list"),
        ("[" * 100_000, "can't be read"),
        ({"rules": ["Qwen"]}, "rules is not an object of names"),
        ({"rules": {"Qwen": 1}}, "rules is not an object of names"),
        ({"rules": {"": "x"}}, "rules is not an object of names"),
        ({"contexts": "x"}, "contexts is not a list of system messages"),
        ({"contexts": []}, "contexts is not a list of system messages"),
        ({"contexts": [1]}, "contexts is not a list of system messages"),
        ({"languages": "en"}, "languages is not a list of en and zh"),
        ({"languages": []}, "languages is not a list of en and zh"),
        ({"languages": ["en", ["zh"]]}, "languages is not a list of en and zh"),
        ({"base": 7}, "base is not a text"),
        ({"base": " "}, "base is not a text"),
        ({"base": "a\0b"}, "base is not a folder or a Hub id"),
        ({"base": "x" * 5000}, "base is not a folder or a Hub id"),
        ({"revision": []}, "revision is not a text"),
        ({"judge": {}}, "judge is not a text"),
        ({"run": 3}, "run is not a text"),
    ],
)
def test_a_verdict_of_hostile_types_is_refused_in_one_line(tmp_path: Path, verdict: Any, what: str) -> None:
    model = make_model(tmp_path / "m", verdict)
    with pytest.raises(pairforge.InputError) as caught:
        find(tmp_path, model)
    assert what in caught.value.message and str(model / "verdict.json") in caught.value.message
    assert "\n" not in str(caught.value) and caught.value.fix
    assert find(tmp_path, model, from_="Qwen", to="Nova", base="pocket").rules == {"Qwen": "Nova"}, "as the fix says"


@pytest.mark.parametrize("settings", [{"rules": [1]}, {"contexts": 3}, {"contexts": "text"}, {"revision": {}}])
def test_a_run_of_hostile_types_is_refused_in_one_line(tmp_path: Path, settings: dict[str, Any]) -> None:
    made = make_run(tmp_path / "out", **settings)
    make_model(made.path / "model")
    with pytest.raises(pairforge.InputError) as caught:
        find(tmp_path)
    assert next(iter(settings)) in caught.value.message


@pytest.mark.parametrize("judge", ["judge", 3, {"judge": {"x": 1}}, {}])
def test_a_run_s_judge_of_another_type_is_refused_or_left_out(tmp_path: Path, judge: Any) -> None:
    made = make_run(tmp_path / "out", judge=judge)
    make_model(made.path / "model")
    if judge == {"judge": {"x": 1}}:
        with pytest.raises(pairforge.InputError, match="judge is not a text"):
            find(tmp_path)
    else:
        assert find(tmp_path).judge is None


def test_a_foreign_run_json_beside_a_model_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_model(tmp_path / "other" / "model")
    (tmp_path / "other" / "run.json").write_text('{"wandb": 1}')
    assert find(tmp_path, model).rules == {}
    assert "is not that of a run, and is not used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("history", "known"),
    [
        ("{", {}),
        ("[]", {}),
        ({"training": 3, "steps": 1, "log": 5, "guard": "x"}, {"steps": 1}),
        ({"steps": 2}, {"steps": 2}),
        ({"steps": "x", "training": {"pairs": [], "loss_type": [1]}}, {}),
    ],
)
def test_of_a_history_only_what_has_the_right_type_is_kept(tmp_path: Path, history: Any, known: Any) -> None:
    assert find(tmp_path, make_model(tmp_path / "m", VERDICT, history)).training == known


def test_what_the_history_says_of_the_training_is_kept(tmp_path: Path) -> None:
    history = {"steps": 40, "training": {"pairs": 2446, "seen": 320, "loss_type": ["sigmoid"]}}
    found = find(tmp_path, make_model(tmp_path / "m", VERDICT, history))
    assert found.as_json()["training"] == {"pairs": 2446, "seen": 320, "loss_type": ["sigmoid"], "steps": 40}


@pytest.mark.parametrize("option", ["model", "base", "run"])
@pytest.mark.parametrize("text", ["", " ", "x" * 300, "a\0b"])
def test_what_can_be_no_name_is_refused_in_one_line(tmp_path: Path, run: Run, option: str, text: str) -> None:
    with pytest.raises(pairforge.InputError, match="is neither a folder nor a name") as caught:
        find(tmp_path, **{"model": "pocket", "base": None, option: text})
    assert len(str(caught.value)) < 150


def test_names_from_a_file_write_no_lines_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_model(tmp_path / "m", VERDICT | {"rules": {"Qwen": "Nova\nverdict: PASS\x1b[2J"}, "base": "pocket"})
    with pytest.raises(pairforge.PairforgeError):
        pairforge.evaluate(str(model), output=str(tmp_path / "out"), limit=1)
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "verdict: PASS" not in said.splitlines()
