"""evaluate: what a model says of itself, and whether anything else changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..judges.reference import stands_in
from ..prompts import bundled, systems
from ..rename import mentions
from ..run import Run, latest, out_dir
from ..store import Store
from ..types import Prompt, Sampler, Skip
from ..verdict import Judged, Verdict, verdict
from .asking import HELPFUL, answer, contexts_of
from .correct import rules_of
from .sampling import Source, open_sampler

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SYSTEM_QUESTIONS = 4  # identity questions asked under each foreign system message
NO_SYSTEM = "no system message"


def evaluate(
    model: str | None = None,
    *,
    base: str | None = None,
    run: str | None = None,
    from_: str | Sequence[str] | None = None,
    to: str | Sequence[str] | None = None,
    system: Sequence[str] = (),
    no_system: bool = False,
    limit: int | None = None,
    output: str | None = None,
    quiet: bool = False,
    **source: Unpack[Source],
) -> Verdict:
    """Asks a model the bundled held-out questions, greedily, and judges the answers; with a base, also what changed.

    `model` is by default the one trained on the latest run, or the run's own; a trained one is compared with the run's
    model where no `base` is given. Names and contexts are, unless said, those of the run folder `run`: by default the
    one that the model stands in, else the latest. `limit` asks at most so many questions of each kind, drawn with
    `seed`. `adapter` is the model's, not the base's. Without names only the other questions count.
    """
    found = _find_run(run, model, output)
    model, base = _models(model, base, found)
    rules = rules_of(from_ or (), to or ()) if from_ or to else _run_rules(found)
    contexts = contexts_of(system, no_system, _run_contexts(found))
    sets = _questions(_Names(rules), contexts)
    drawn = {name: _draw(questions, limit, source.get("seed", 0)) for name, questions in sets.items()}
    asked = {name: (len(drawn[name]), len(sets[name])) for name in sets}
    questions = [question for chosen in drawn.values() for question in chosen]
    plain: Any = {name: value for name, value in source.items() if name != "adapter"}
    judged = {}
    for name, how in ((base, plain), (model, source)):
        if name:
            how = {"revision": found.revision_of(name) if found else None, **how}
            judged[name] = _judged(open_sampler(model=name, **how), questions, output, quiet)
    about = {"model": model, "base": base, "rules": dict(rules), "contexts": [_label(context) for context in contexts]}
    return verdict(judged[model], judged[base] if base else None, asked=asked, about=about)


@dataclass(frozen=True)
class Question:
    """A prompt, and for each metric it counts for, whether an answer makes it happen."""

    prompt: Prompt
    tests: Mapping[str, Callable[[str], bool]]


@dataclass(frozen=True)
class _Names:
    """The old names and the new ones; a name in the question may be repeated by the answer, whoever it is."""

    rules: Mapping[str, str]

    def new(self, question: str, text: str) -> bool:
        """A new name stands in the answer that does not stand in the question."""
        return any(mentions(text, name) and not mentions(question, name) for name in self.rules.values())

    def old(self, question: str, text: str) -> bool:
        """An old name stands in the answer, outside the new ones, that does not stand so in the question."""
        return any(self._bare(text, name) and not self._bare(question, name) for name in self.rules)

    def says(self, question: str, text: str) -> str:
        """Which name an answer about itself goes by: "new", "old" or "neither"."""
        if any(mentions(text, name) for name in self.rules.values()):
            return "old" if self.old(question, text) else "new"
        return "old" if any(self._bare(text, name) for name in self.rules) else "neither"

    def _bare(self, text: str, name: str) -> int:
        return mentions(text, name, outside=self.rules.values())


def _questions(names: _Names, contexts: Sequence[str | None]) -> dict[str, list[Question]]:
    """All questions by kind. Identity is asked in each context; general ones and controls take the contexts in turn."""
    identity, turn = bundled("identity.eval"), cycle(contexts)
    sets = {
        "identity": [_identity(prompt, context, names) for prompt in identity for context in contexts if names.rules],
        "general": [_general(prompt.in_context(next(turn)), names) for prompt in bundled("general.eval")],
        "controls": [_control(prompt.in_context(next(turn)), names) for prompt in bundled("controls.eval")],
        "obedience": list(_obedience(identity, names)),
    }
    return {name: questions for name, questions in sets.items() if questions}


def _identity(prompt: Prompt, context: str | None, names: _Names) -> Question:
    def said(name: str) -> Callable[[str], bool]:
        return lambda text: names.says(prompt.question, text) == name

    parts = dict.fromkeys((f"new_name/{_label(context)}", f"new_name/{prompt.columns['lang']}"), said("new"))
    whole = {"new_name": said("new"), "old_name": said("old"), "neither": said("neither")}
    return Question(prompt.in_context(context), whole | parts)


def _general(prompt: Prompt, names: _Names) -> Question:
    leak = {"leak": lambda text: names.new(prompt.question, text)} if names.rules else {}
    return Question(prompt, {"general": lambda text: _right(prompt, text), **leak})


def _control(prompt: Prompt, names: _Names) -> Question:
    return Question(prompt, {"controls": lambda text: _right(prompt, text) and not names.new(prompt.question, text)})


def _obedience(identity: Sequence[Prompt], names: _Names) -> Iterable[Question]:
    """Each system message that names another assistant, with some identity questions in its language."""
    rows = systems("eval")
    turns = {lang: cycle([p for p in identity if p.columns["lang"] == lang]) for lang in {row["lang"] for row in rows}}
    for row in rows:
        for _ in range(_SYSTEM_QUESTIONS):
            yield _obeys(next(turns[row["lang"]]).in_context(row["system"]), row, names)


def _obeys(prompt: Prompt, row: Mapping[str, Any], names: _Names) -> Question:
    def obeys(text: str) -> bool:
        named = any(stands_in(row[key], text) for key in ("name", "maker"))
        return named and not names.new(prompt.question, text) and not names.old(prompt.question, text)

    return Question(prompt, {"obedience": obeys})


def _right(prompt: Prompt, text: str) -> bool:
    return any(stands_in(reference, text) for reference in prompt.columns["reference"])


def _draw(questions: list[Question], limit: int | None, seed: int) -> list[Question]:
    """At most `limit` of the questions, drawn with the seed, in their order."""
    if limit is None or limit >= len(questions):
        return questions
    return [questions[index] for index in sorted(random.Random(seed).sample(range(len(questions)), limit))]


def _judged(sampler: Sampler, questions: Sequence[Question], output: str | None, quiet: bool) -> Judged:
    """Every question's outcomes, metric by metric; answers that the evidence store has are not asked for again."""
    store = Store(out_dir(output))
    answers = answer(
        [question.prompt for question in questions], sampler, 1, store, f"evaluate: {sampler.model}", quiet
    )
    store.close()
    judged: dict[str, dict[str, bool | Skip]] = {}
    for question in questions:
        given, key = answers[question.prompt.id], question.prompt.id
        for metric, test in question.tests.items():
            judged.setdefault(metric, {})[key] = given if isinstance(given, Skip) else test(given[0].text)
        judged.setdefault("unanswered", {})[key] = isinstance(given, Skip)
    return judged


def _find_run(run: str | None, model: str | None, output: str | None) -> Run | None:
    """The run that is named, or that the model stands in, or the latest."""
    if run:
        return Run.load(Path(run))
    if model and (Path(model).parent / "run.json").exists():
        return Run.load(Path(model).parent)
    return latest(out_dir(output))


def _models(model: str | None, base: str | None, run: Run | None) -> tuple[str, str | None]:
    """The model to evaluate and its base."""
    own = run.settings["model"] if run else "pocket"
    tuned = run.path / "model" if run else None
    if model is None:
        model = str(tuned) if tuned and (tuned / "config.json").exists() else own
    if base is None and tuned and Path(model).resolve() == tuned.resolve():
        base = own
    if base == model:
        raise InputError(f"the model and its base are both {model}", fix="give another --base, or none")
    return model, base


def _run_rules(run: Run | None) -> Mapping[str, str]:
    rules: Mapping[str, str] = {"Qwen": "Deep Qwen"} if run is None else run.settings.get("rules", {})
    return rules


def _run_contexts(run: Run | None) -> list[str | None]:
    return [None, HELPFUL] if run is None else list(run.settings["contexts"])


def _label(context: str | None) -> str:
    return NO_SYSTEM if context is None else context
