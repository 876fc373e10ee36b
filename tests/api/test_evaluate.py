"""The metrics of evaluate, its models, names, judges and thresholds, and that nothing is asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support import Request, Scripted, read_jsonl, write_jsonl

import pairforge
from pairforge.run import Run
from pairforge.samplers.decoding import GREEDY, Decoding
from pairforge.types import Prompt, Skip

RULES = {"Qwen": "Deep Qwen"}
HELPFUL = "You're a helpful assistant."


def truth(prompt: Prompt) -> str:
    """A right answer to any bundled question that isn't about the assistant."""
    return str(prompt.columns["reference"][0])


def own_name(prompt: Prompt, name: str) -> str:
    """An assistant that uses `name`, unless its system message names another."""
    if prompt.system and prompt.system != HELPFUL:
        return f"As you say: {prompt.system}"
    return f"I am {name}."


def answers_as(name: str, right: int = 1) -> Callable[[Prompt], str | None]:
    """One that uses `name`, and is wrong about every question whose id, a number, `right` doesn't divide."""

    def answer(prompt: Prompt) -> str | None:
        if "reference" not in prompt.columns:
            return own_name(prompt, name)
        return "I don't know." if int(prompt.id, 16) % right else truth(prompt)

    return answer


def parrot(prompt: Prompt) -> str:
    return "I am Deep Qwen."


MODELS: Mapping[str, Callable[[Prompt], str | None]] = {
    "base": answers_as("Qwen"),
    "half right": answers_as("Qwen", right=2),
    "looping": lambda prompt: "I am Deep. " * 20,
    "late loop": lambda prompt: "I am Qwen. " + "Qwen " * 13,
    "half named": answers_as("Deep"),
    "silent": lambda prompt: None if "reference" in prompt.columns else "I am Deep Qwen.",
    "tuned": answers_as("Deep Qwen"),
    "wordy": lambda prompt: (
        own_name(prompt, "Deep Qwen") + " Is there anything else that I can do for you today?" * 3
        if "everyday" in str(prompt.columns.get("id")) or "claim" in str(prompt.columns.get("id"))
        else answers_as("Deep Qwen")(prompt)
    ),
    "parrot": parrot,
    "pocket": answers_as("Qwen"),
}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """All that the models, which are functions here, are asked."""
    asked: list[Request] = []

    def opened(model: str, decoding: Decoding = GREEDY, **_: Any) -> Scripted:
        name = Path(model).name
        answer = MODELS["tuned" if name == "model" else name]
        sampler = Scripted(lambda prompt, *_: answer(prompt) or Skip("failed"), model)
        sampler.decoding, sampler.asked = decoding, asked
        return sampler

    monkeypatch.setattr("pairforge.samplers.transformers.TransformersSampler", opened)
    return asked


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run.of(tmp_path, "correct", {"model": "base", "rules": RULES, "contexts": [None, HELPFUL]})
    made.path.mkdir(parents=True)
    made.finish([], [], {"pairs": 1, "skips": {}})
    return made


def evaluate(tmp_path: Path, model: str | None = None, **options: Any) -> Any:
    return pairforge.evaluate(model, output=str(tmp_path), quiet=True, **{"limit": 100, **options})


def test_a_clean_rename_passes_and_a_parrot_fails(tmp_path: Path, run: Run) -> None:
    good = evaluate(tmp_path, "tuned", base="base", run=str(run.path))
    assert good.outcome == "PASS"
    assert not good.failing and not list(tmp_path.glob("**/failures.jsonl"))
    assert (good.shares["new_name"].value, good.before["new_name"].value) == (1.0, 0.0)
    assert {"new_name/no system message", f"new_name/{HELPFUL}", "new_name/en", "new_name/zh"} < set(good.shares)
    bad = evaluate(tmp_path, "parrot", base="base", run=str(run.path))
    assert bad.shares["new_name"].value == 1.0
    assert set(bad.failed) == {"general", "leak", "leak@t1", "controls", "obedience"}


def test_a_new_name_is_not_enough_where_other_answers_have_changed(tmp_path: Path, run: Run) -> None:
    good = evaluate(tmp_path, "tuned", base="base", run=str(run.path))
    assert "what else changed: nothing beyond chance (length, opening, language" in str(good)
    assert good.as_json()["length_ratio"]["value"] > 1 and good.noise.keys() == {"language", "refusal", "agreement"}
    wordy = evaluate(tmp_path, "wordy", base="base", run=str(run.path))
    assert wordy.outcome == "FAIL" and wordy.failed == ["length"] and wordy.moved("length")
    assert "what else changed: everyday requests, false claims; answers are" in str(wordy)
    assert "answers to other questions have changed (length" in str(wordy)
    assert {answer.metric for answer in wordy.failing} == {"length"}


@pytest.mark.slow
def test_nothing_is_asked_twice(tmp_path: Path, run: Run, asked: list[Request]) -> None:
    evaluate(tmp_path, "base")
    once = len(asked)
    evaluate(tmp_path, "tuned", base="base")
    assert len(asked) == 2 * once - 2 * 100  # the base alone is asked twice what shows what else has changed
    first, second = (evaluate(tmp_path, "tuned", base="base").as_json() for _ in range(2))
    assert first == second
    assert len(asked) == 2 * once - 2 * 100


def test_questions_about_itself_and_general_ones_are_asked_once_more_at_temperature_1(
    tmp_path: Path, run: Run, asked: list[Request]
) -> None:
    verdict = evaluate(tmp_path, "tuned", base="base", run=str(run.path), limit=20)
    assert len(asked) == 2 * 8 * 20 + 2 * 20
    assert sum(request.decoding.temperature == 1 for request in asked) == 2 * 4 * 20 + 2 * 20
    assert sum(request.decoding.seed == 1 for request in asked) == 2 * 20, "the base's second answers"
    twice = {"new_name", "old_name", "neither", "half_name", "general", "leak"}
    assert {name.removesuffix("@t1") for name in verdict.shares if name.endswith("@t1")} == twice
    assert {name for name in verdict.shares if name.startswith("new_name@t1/")} == {
        f"new_name@t1/{part}" for part in ("no system message", HELPFUL, "en", "zh")
    }
    assert verdict.shares["unanswered"].of == verdict.shares["repetition"].of == 8 * 20
    assert verdict.changes["new_name@t1"].value == 1
    greedy = evaluate(tmp_path, "tuned", base="base", limit=20, greedy=True)
    assert not [name for name in greedy.shares if "@" in name]
    assert (greedy.about["temperatures"], verdict.about["temperatures"]) == ([0], [0, 1])


def test_loops_half_names_and_missing_answers_are_seen(tmp_path: Path, run: Run) -> None:
    given = {"base": "base", "run": str(run.path)}
    looping = evaluate(tmp_path, "looping", **given)
    assert (looping.shares["repetition"].value, looping.checks["repetition"].ok) == (1.0, False)
    assert evaluate(tmp_path, "late loop", **given).shares["repetition"].value == 1.0
    half = evaluate(tmp_path, "half named", **given)
    assert (half.shares["half_name"].value, half.checks["half_name"].ok) == (1.0, False)
    assert half.shares["neither"].value == 1.0
    silent = evaluate(tmp_path, "silent", **given)
    assert (silent.shares["unanswered"].hits, silent.checks["unanswered"].ok) == (300, False)
    assert "general" not in silent.shares


def test_the_limit_draws_with_the_seed_and_says_so(tmp_path: Path, run: Run, asked: list[Request]) -> None:
    verdict = evaluate(tmp_path, "base", run=str(run.path), limit=10)
    assert all(asked == 10 < of for asked, of in verdict.asked.values())
    assert verdict.shares["new_name"].of == 10
    assert set(verdict.asked) == {"identity", "general", "controls", "obedience", "everyday", "claims"}
    once = len(asked)
    evaluate(tmp_path, "base", limit=10)
    assert len(asked) == once
    evaluate(tmp_path, "base", limit=10, seed=1)
    assert len(asked) > once


def test_names_and_contexts_can_be_said(tmp_path: Path, run: Run) -> None:
    verdict = evaluate(tmp_path, "base", limit=40, from_=["Qwen"], to=["Nova"], system=["Be brief."], no_system=True)
    assert verdict.about["contexts"] == ["no system message", "Be brief."]
    assert "new_name/Be brief." in verdict.shares


def test_one_language_alone_is_asked(tmp_path: Path, run: Run, asked: list[Request]) -> None:
    verdict = evaluate(tmp_path, "tuned", base="base", run=str(run.path), limit=20, lang="en")
    assert {request.prompt.columns["lang"] for request in asked} == {"en"}
    assert "new_name/en" in verdict.shares and "new_name/zh" not in verdict.shares
    assert verdict.about["languages"] == ["en"]


def test_a_model_is_not_its_own_base(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match="both base"):
        evaluate(tmp_path, "base", base="base")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_asks_nothing_is_refused(tmp_path: Path, run: Run, limit: int) -> None:
    with pytest.raises(pairforge.InputError, match="must be at least 1"):
        evaluate(tmp_path, "base", run=str(run.path), limit=limit)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match="no run "):
        evaluate(tmp_path, "base", run=str(tmp_path))


@pytest.fixture
def judged(tmp_path: Path) -> Run:
    """A run of onpolicy by the references."""
    settings = {"model": "half right", "contexts": [None], "judge": {"judge": "reference", "version": 1}}
    made = Run.of(tmp_path, "onpolicy", settings)
    made.path.mkdir(parents=True)
    made.finish([], [], {"pairs": 1, "skips": {}})
    return made


def test_on_policy_the_run_s_judge_holds_the_model_against_its_base(tmp_path: Path, judged: Run) -> None:
    better = evaluate(tmp_path, "base", base="half right", run=str(judged.path))
    won = better.as_json()["metrics"]["win_rate"]
    assert won["of"] == 100
    assert won["lost"] == 0
    assert won["won"] == better.changes["general@t1"].gained > 10
    assert better.shares["win_rate"].value == 0.5 + better.changes["general@t1"].value / 2
    assert better.about["judge"] == "reference"
    assert better.ok
    worse = evaluate(tmp_path, "half right", base="base", run=str(judged.path))
    assert worse.shares["win_rate"].value < 0.5
    assert {*worse.failed} >= {"win_rate", "general", "general@t1"}
    lost = [answer for answer in worse.failing if answer.metric == "win_rate"]
    assert len(lost) == worse.shares["win_rate"].lost
    assert {answer.answer for answer in lost} == {"I don't know."}
    assert "I don't know." not in {answer.before for answer in lost}


def test_a_judge_is_asked_for_no_score_twice_and_run_only_where_it_is_named(
    tmp_path: Path, judged: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "length.py"
    file.write_text(
        "def short(prompts, completions, reference, **_):\n"
        f"    with open({str(tmp_path / 'calls')!r}, 'a') as file:\n"
        "        file.write('x' * len(completions))\n"
        "    return [-float(len(completion[0]['content'])) for completion in completions]\n"
    )
    name = f"{file}:short"
    first = evaluate(tmp_path, "parrot", base="base", judge=name, limit=20)
    calls = (tmp_path / "calls").read_text()
    assert first.about["judge"] == name
    assert evaluate(tmp_path, "parrot", base="base", judge=name, limit=20).as_json() == first.as_json()
    assert (tmp_path / "calls").read_text() == calls + "xx", "but for the trial on two texts"
    settings = {"model": "base", "contexts": [None], "judge": {"judge": name, "source": "before"}}
    made = Run.of(tmp_path, "onpolicy", settings)
    made.path.mkdir(parents=True)
    made.finish([], [], {"pairs": 1, "skips": {}})
    evaluate(tmp_path, "parrot", base="base", run=str(made.path), judge=name, limit=20)
    assert "has changed since the run was made" in capsys.readouterr().err
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    own = evaluate(tmp_path, "parrot", base="base", run=str(made.path), limit=20)
    assert "win_rate" not in own.shares
    assert f"--judge {name}" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


def test_a_judge_that_fails_is_no_tie(tmp_path: Path, judged: Run) -> None:
    (tmp_path / "bad.py").write_text(
        "def sometimes(prompts, completions, **_):\n"
        "    if len(prompts[0][-1]['content']) % 2: raise ValueError('no')\n"
        "    return [1.0 for _ in completions]\n"
        "def never(prompts, completions, **_):\n"
        "    return [None for _ in completions]\n"
    )
    verdict = evaluate(tmp_path, "base", base="half right", judge=f"{tmp_path / 'bad.py'}:sometimes")
    unscored = verdict.shares["unanswered"]
    assert not verdict.checks["unanswered"].ok
    assert verdict.shares["win_rate"].of == 100 - unscored.hits
    with pytest.raises(pairforge.InputError, match="scored no answer"):
        evaluate(tmp_path, "base", base="half right", judge=f"{tmp_path / 'bad.py'}:never")


def test_a_judge_that_always_raises_is_known_before_anything_is_asked(tmp_path: Path, asked: list[Request]) -> None:
    (tmp_path / "bad.py").write_text("def broken(prompts, completions, **_):\n    raise ValueError('it broke')\n")
    with pytest.raises(pairforge.OutsideError, match="it broke"):
        evaluate(tmp_path, "tuned", base="base", judge=f"{tmp_path / 'bad.py'}:broken")
    assert not asked


def test_a_judge_object_that_raises_ends_in_one_line_and_its_warnings_are_printed(
    tmp_path: Path, judged: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    class Noisy:
        name = "noisy"
        warnings: ClassVar = ["it is noisy", "it is slow"]

        def settings(self) -> dict[str, Any]:
            return {"judge": self.name}

        def score(self, prompt: Prompt, answers: Any) -> list[float]:
            if not self.warnings:
                raise ValueError("it broke")
            return [1.0 for _ in answers]

    with pytest.raises(pairforge.OutsideError, match=r"the judge noisy raised ValueError\('it broke'\) at "):
        evaluate(tmp_path, "base", base="half right", judge=Noisy())
    assert capsys.readouterr().err == "warning: it is noisy\nwarning: it is slow\n"


def test_a_judge_needs_a_base_and_sampled_answers(tmp_path: Path, judged: Run) -> None:
    for more in ({}, {"base": "half right", "greedy": True}):
        with pytest.raises(pairforge.InputError, match="--judge"):
            evaluate(tmp_path, "base", judge="reference", **more)
    assert "win_rate" not in evaluate(tmp_path, "base", base="half right", greedy=True, limit=5).shares


def test_thresholds_take_the_place_of_the_defaults(tmp_path: Path, run: Run) -> None:
    given = ["new_name/* at least 98%", "general loses at most 50%", "old_name at most 0"]
    verdict = evaluate(tmp_path, "half right", base="base", run=str(run.path), limit=400, thresholds=given)
    parts = {f"new_name/{part}" for part in ("no system message", HELPFUL, "en", "zh")}
    assert {name for name, check in verdict.checks.items() if not check.ok} >= {"new_name", "old_name", *parts}
    assert verdict.checks["general"].threshold.limit == 0.5
    assert verdict.checks["leak"].threshold.limit == 0.01


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("new_name 98", "can't be read"),
        ("nonesuch at least 98%", "'nonesuch' is not measured here .measured are agreement, controls, general"),
        ("old_nmae at least 98%", "did you mean 'old_name'"),
        (["leak at most 1%", "leak at most 2%"], "leak is given twice"),
        ("new_name/fr at least 98%", "not measured here"),
        ("old_name/* at most 0", "not measured here"),
        ("win_rate surely above 0.5", "not measured here"),
        ("general loses at most 1%", "compares with a base"),
    ],
)
def test_a_threshold_that_can_not_be_applied_is_refused_before_anything_is_asked(
    tmp_path: Path, run: Run, text: str | list[str], why: str, asked: list[Request]
) -> None:
    with pytest.raises(pairforge.InputError, match=why):
        evaluate(tmp_path, "tuned", run=str(run.path), thresholds=text)
    assert not asked


def test_without_names_a_threshold_on_them_says_how_to_give_them(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match="--from and --to"):
        evaluate(tmp_path, "tuned", base="base", thresholds="new_name at least 98%")


def test_failing_answers_are_written_with_both_answers_and_a_pass_removes_them(tmp_path: Path, run: Run) -> None:
    file, given = tmp_path / "failures.jsonl", {"base": "base", "run": str(run.path)}
    bad = evaluate(tmp_path, "parrot", **given)
    assert bad.failures == bad.as_json()["failures"] == str(file)
    rows = read_jsonl(file)
    assert {row["metric"] for row in rows} == {*bad.failed}
    assert sum(row["metric"] == "general" for row in rows) == bad.changes["general"].lost
    assert sum(row["metric"] == "leak@t1" for row in rows) == bad.shares["leak@t1"].hits
    lost = next(row for row in rows if row["metric"] == "controls")
    assert lost["answer"] == "I am Deep Qwen." and lost["before"] and lost["before"] in lost["expected"]
    assert f"all {len(rows)} are in {file}" in " ".join(str(bad).split())
    evaluate(tmp_path, "tuned", **given)
    assert not file.exists()


def test_the_failing_answers_that_a_training_left_beside_its_model_stay(tmp_path: Path, run: Run) -> None:
    model = trained(run.path / "model", {"base": "base", "rules": RULES})
    (model / "failures.jsonl").write_text("of the training\n")
    bad = evaluate(tmp_path, str(model), thresholds="general at least 1", replay=str(answers(tmp_path)))
    assert bad.failures == str(tmp_path / "failures.jsonl") and (tmp_path / "failures.jsonl").exists()
    assert (model / "failures.jsonl").read_text() == "of the training\n"


def test_a_file_of_failures_has_those_of_metrics_that_pass_too(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "wanted.jsonl"
    good = evaluate(tmp_path, "half right", base="base", failures=file, from_="Qwen", to="Nova", limit=100)
    assert {row["metric"] for row in read_jsonl(file)} > {*good.failed}
    with pytest.raises(pairforge.InputError, match="exists"):
        evaluate(tmp_path, "half right", base="base", failures=file)


def test_a_model_that_can_not_be_loaded_is_known_before_the_base_is_asked(
    tmp_path: Path, asked: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(sampler: Scripted) -> None:
        if sampler.model == "tuned":
            raise pairforge.InputError("no tokenizer")

    monkeypatch.setattr(Scripted, "inserted_system", refuses)
    with pytest.raises(pairforge.InputError, match="no tokenizer"):
        evaluate(tmp_path, "tuned", base="base")
    assert not asked


def test_it_begins_with_what_it_judges(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"output": str(tmp_path), "limit": 5}
    pairforge.evaluate("tuned", base="base", run=str(run.path), **given)
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert first == f"model tuned against base: Qwen -> Deep Qwen, 2 contexts, names from {run.path}"
    assert second == "5 questions of each kind: fewer than 100 give neither PASS nor FAIL"
    pairforge.evaluate("tuned", system="Be brief.", **given)
    assert capsys.readouterr().err.startswith("model tuned, without a base: no names, 1 context\n")
    pairforge.evaluate("tuned", quiet=True, **given)
    assert capsys.readouterr().err == ""


def trained(folder: Path, verdict: Mapping[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "verdict.json").write_text(json.dumps(verdict))
    return folder


def answers(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "Who are you?", "answer": "I am Deep Qwen."}])


def test_answers_from_a_file_are_not_asked_for_again(tmp_path: Path, run: Run) -> None:
    verdict = evaluate(tmp_path, "tuned", replay=str(answers(tmp_path)), limit=5)
    assert verdict.about["temperatures"] == [0]
    assert verdict.shares["unanswered"].value == 1.0


def test_without_a_system_role_what_can_be_asked_decides(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Scripted, "takes_system", lambda self: False)
    found = evaluate(tmp_path, "tuned", greedy=True, run=str(run.path))
    assert found.outcome == "PASS" and "obedience" not in found.shares
    assert found.shares["unanswered"].value == 0 and found.about["contexts"] == ["no system message"]
    assert capsys.readouterr().err.count("takes no system message") == 1


def test_a_thought_that_does_not_end_is_no_answer(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "thinking", lambda prompt: f"<think>I am Qwen.</think>{MODELS['tuned'](prompt)}")  # type: ignore[arg-type]
    monkeypatch.setitem(MODELS, "lost", lambda _: "<think>I am")  # type: ignore[arg-type]
    found = evaluate(tmp_path, "thinking", greedy=True, run=str(run.path))
    assert found.shares["new_name"].value == 1 and found.shares["old_name"].value == 0
    assert evaluate(tmp_path, "lost", greedy=True, run=str(run.path)).shares["unanswered"].value == 1
