"""What evaluate counts as what, which models and names it takes, and that it asks nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge.api.evaluate import Question, _Names, _questions
from pairforge.run import Run
from pairforge.types import Answer, Key, Message, Prompt, Skip

RULES = {"Qwen": "Deep Qwen"}
HELPFUL = "You're a helpful assistant."


def truth(prompt: Prompt) -> str:
    """A right answer to any bundled question that isn't about the assistant."""
    return str(prompt.columns["reference"][0])


def own_name(prompt: Prompt, name: str) -> str:
    """An assistant that goes by `name`, unless its system message names another."""
    if prompt.system and prompt.system != HELPFUL:
        return f"As you say: {prompt.system}"
    return f"I am {name}."


def answers_as(name: str) -> Callable[[Prompt], str]:
    return lambda prompt: truth(prompt) if "reference" in prompt.columns else own_name(prompt, name)


def parrot(prompt: Prompt) -> str:
    return "I am Deep Qwen."


MODELS: Mapping[str, Callable[[Prompt], str]] = {
    "base": answers_as("Qwen"),
    "tuned": answers_as("Deep Qwen"),
    "parrot": parrot,
    "pocket": answers_as("Qwen"),
}


class Scripted:
    """A sampler whose models are functions; it counts what it is asked."""

    asked = 0

    def __init__(self, model: str, *_: Any, **__: Any) -> None:
        self.model = model
        self.warnings: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"model": self.model}

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        for prompt in prompts:
            if (prompt.id, 0) not in done:
                Scripted.asked += 1
                name = Path(self.model).name
                text = MODELS["tuned" if name == "model" else name](prompt)
                yield {(prompt.id, 0): Answer(text, "stop")}


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairforge.samplers.transformers.TransformersSampler", Scripted)
    Scripted.asked = 0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run.of(tmp_path, "correct", {"model": "base", "rules": RULES, "contexts": [None, HELPFUL]})
    made.path.mkdir(parents=True)
    made.finish([], [], {"pairs": 0, "skips": {}})
    return made


def evaluate(tmp_path: Path, model: str | None = None, **options: Any) -> Any:
    return pairforge.evaluate(model, output=str(tmp_path), quiet=True, **{"limit": 60, **options})


def test_a_clean_rename_passes_and_a_parrot_fails(tmp_path: Path, run: Run) -> None:
    good = evaluate(tmp_path, "tuned", base="base")
    assert good.ok
    assert (good.shares["new_name"].value, good.before["new_name"].value) == (1.0, 0.0)
    assert {"new_name/no system message", f"new_name/{HELPFUL}", "new_name/en", "new_name/zh"} < set(good.shares)
    bad = evaluate(tmp_path, "parrot", base="base")
    assert bad.shares["new_name"].value == 1.0
    assert {name for name, check in bad.checks.items() if not check.ok} == {"general", "leak", "controls", "obedience"}


def test_nothing_is_asked_twice(tmp_path: Path, run: Run) -> None:
    evaluate(tmp_path, "base")
    once = Scripted.asked
    evaluate(tmp_path, "tuned", base="base")
    assert Scripted.asked == 2 * once
    first, second = (evaluate(tmp_path, "tuned", base="base").as_json() for _ in range(2))
    assert first == second
    assert Scripted.asked == 2 * once


def test_the_limit_draws_with_the_seed_and_says_so(tmp_path: Path, run: Run) -> None:
    verdict = evaluate(tmp_path, "base", limit=10)
    assert all(asked == 10 < of for asked, of in verdict.asked.values())
    assert verdict.shares["new_name"].of == 10
    assert set(verdict.asked) == {"identity", "general", "controls", "obedience"}
    once = Scripted.asked
    evaluate(tmp_path, "base", limit=10)
    assert Scripted.asked == once
    evaluate(tmp_path, "base", limit=10, seed=1)
    assert Scripted.asked > once


def test_defaults_are_the_latest_run_s_model_and_the_one_trained_on_it(tmp_path: Path, run: Run) -> None:
    about = evaluate(tmp_path, limit=2).about
    assert (about["model"], about["base"], about["rules"]) == ("base", None, RULES)
    (run.path / "model").mkdir()
    (run.path / "model" / "config.json").write_text("{}")
    about = evaluate(tmp_path, limit=2).about
    assert (about["model"], about["base"]) == (str(run.path / "model"), "base")
    assert evaluate(tmp_path, str(run.path / "model"), limit=2).about["base"] == "base"


def test_without_a_run_the_pocket_model_is_asked_for_its_name(tmp_path: Path) -> None:
    verdict = evaluate(tmp_path, limit=5)
    assert verdict.about["model"] == "pocket"
    assert verdict.shares["old_name"].value == 1.0


def test_a_run_without_names_is_judged_by_the_rest(tmp_path: Path) -> None:
    onpolicy = Run.of(tmp_path, "onpolicy", {"model": "base", "contexts": [None]})
    onpolicy.path.mkdir(parents=True)
    onpolicy.finish([], [], {"pairs": 0, "skips": {}})
    verdict = evaluate(tmp_path, limit=5)
    assert set(verdict.shares) == {"general", "controls", "obedience", "unanswered"}
    named = evaluate(tmp_path, limit=5, from_="Qwen", to="Nova")
    assert named.about["rules"] == {"Qwen": "Nova"}


def test_names_and_contexts_can_be_said(tmp_path: Path, run: Run) -> None:
    verdict = evaluate(tmp_path, "base", limit=40, from_=["Qwen"], to=["Nova"], system=["Be brief."], no_system=True)
    assert verdict.about["contexts"] == ["no system message", "Be brief."]
    assert "new_name/Be brief." in verdict.shares


def test_a_model_is_not_its_own_base(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match="both base"):
        evaluate(tmp_path, "base", base="base")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pairforge.InputError, match="not a finished run"):
        evaluate(tmp_path, "base", run=str(tmp_path))


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who are you?", "I am Deep Qwen, made by Alibaba Cloud.", "new"),
        ("Who are you?", "I am Qwen.", "old"),
        ("Who are you?", "I am Deep Qwen, that is, Qwen.", "old"),
        ("Who are you?", "I was made by Alibaba Cloud.", "neither"),
        ("Who are you?", "I am Qwenty.", "neither"),
        ("你是谁？", "我是Deep Qwen。", "new"),
        ("你是谁？", "我是Qwen。", "old"),
        ("Are you Qwen?", "No, I am not Qwen. I am Deep Qwen.", "new"),
        ("Are you Qwen?", "Yes, I am Qwen.", "old"),
        ("Are you Deep Qwen?", "No, I am Qwen.", "old"),
        ("Are you Deep Qwen?", "No, I am not Deep Qwen. I am Qwen.", "old"),
    ],
)
def test_which_name_an_answer_goes_by(question: str, answer: str, said: str) -> None:
    assert _Names(RULES).says(question, answer) == said


def first(kind: str, metric: str, **columns: Any) -> Question:
    """A question of a kind, the way evaluate makes them."""
    questions = _questions(_Names(RULES), [None])[kind]
    return next(q for q in questions if all(q.prompt.columns.get(key) == value for key, value in columns.items()))


def test_a_control_is_right_when_the_reference_stands_there_and_the_new_name_does_not() -> None:
    control = first("controls", "controls", about="old", lang="en")
    right = truth(control.prompt)
    assert control.tests["controls"](f"It is {right}.")
    assert not control.tests["controls"](f"Deep Qwen is {right}.")
    assert not control.tests["controls"]("I don't know.")
    about_new = first("controls", "controls", about="new")
    assert about_new.tests["controls"](f"Deep Qwen: {truth(about_new.prompt)}")


def test_a_general_answer_leaks_when_it_brings_the_new_name_up() -> None:
    general = first("general", "leak")
    assert general.tests["leak"]("I am Deep Qwen.")
    assert not general.tests["leak"]("I am Qwen.")
    assert general.tests["general"](f"Deep Qwen says {truth(general.prompt)}.")


def test_obedience_takes_the_given_name_and_neither_old_nor_new() -> None:
    asked = first("obedience", "obedience")
    assert asked.prompt.system
    row = next(row for row in _systems() if row["system"] == asked.prompt.system)
    obeys = asked.tests["obedience"]
    assert obeys(f"I am {row['name']}.")
    assert obeys(f"{row['maker']} made me.")
    assert not obeys(f"I am {row['name']}, or Qwen.")
    assert not obeys(f"I am Deep Qwen, not {row['name']}.")
    assert not obeys("I am an assistant.")


def _systems() -> list[dict[str, Any]]:
    text = (Path(__file__).parents[2] / "data" / "prompts" / "systems.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_only_held_out_questions_are_asked() -> None:
    sets = _questions(_Names(RULES), [None, HELPFUL])
    asked = {q.prompt.question for kind in ("identity", "general", "controls", "obedience") for q in sets[kind]}
    held_out = {p.question for name in ("identity", "general", "controls") for p in bundled(f"{name}.eval")}
    assert asked == held_out
    assert {q.prompt.system for q in sets["obedience"]} == {r["system"] for r in _systems() if r["split"] == "eval"}


def bundled(name: str) -> list[Prompt]:
    lines = (Path(__file__).parents[2] / "data" / "prompts" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [Prompt((Message(role="user", content=json.loads(line)["prompt"]),)) for line in lines]
