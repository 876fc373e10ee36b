"""What evaluate judges: a model and its base, the names, the contexts and the judge, and where they come from."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..console import note
from ..errors import InputError
from ..evaluation.questions import NO_SYSTEM, ModelNames, Question, label, questions
from ..evaluation.training_facts import TrainingFacts
from ..options.asking import EvaluateOptions
from ..options.declaration import as_tuple
from ..prompts import LANGUAGES
from ..run import Run, TrainedModel, latest, out_dir
from ..samplers.gguf_models import is_gguf
from ..samplers.model_loading import POCKET
from ..samplers.model_names import HUB_ID
from ..text import error_line, one_line, plural
from .correct import rules_of
from .inputs import find_run, run_folder
from .models import HELPFUL_SYSTEM_MESSAGE, contexts_of

_GIVE = "give --from, --to and --base, and it is not needed"


@dataclass(frozen=True)
class Setting:
    """What one source says: the options, a verdict.json, or a run; None for what it does not say."""

    origin: str
    rules: Mapping[str, str] | None = None
    contexts: list[str | None] | None = None
    languages: list[str] | None = None
    base: str | None = None
    revision: str | None = None
    judge: str | None = None
    run: str | None = None
    base_is_folder: bool = False

    @classmethod
    def read(cls, origin: str, values: Mapping[str, Any]) -> Setting:
        """Return what a file holds, with its types checked. Raises InputError where one is wrong."""

        def wrong(name: str, what: str) -> InputError:
            return InputError(f"{origin}: {name} is not {what}", fix=_GIVE)

        rules, contexts = values.get("rules"), values.get("contexts")
        if rules is not None:
            rules = dict(rules) if isinstance(rules, Mapping) else None
            if rules is None or not all(isinstance(name, str) and name.strip() for name in (*rules, *rules.values())):
                raise wrong("rules", "an object of names")
        if contexts is not None:
            if not isinstance(contexts, list) or not contexts:
                raise wrong("contexts", "a list of system messages")
            if not all(one is None or isinstance(one, str) for one in contexts):
                raise wrong("contexts", "a list of system messages")
            contexts = [None if one == NO_SYSTEM else one for one in contexts]
        languages = values.get("languages")
        if languages is not None and (
            not isinstance(languages, list) or not languages or not all(one in [*LANGUAGES] for one in languages)
        ):
            raise wrong("languages", f"a list of {' and '.join(LANGUAGES)}")
        texts = {name: values.get(name) for name in ("base", "revision", "judge", "run")}
        for name, value in texts.items():
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise wrong(name, "a text")
        if texts["base"] is not None and not _can_be_path(texts["base"]):
            raise wrong("base", "a folder or a Hub id")
        return cls(origin, rules, contexts, languages, **texts, base_is_folder=values.get("base_is_folder") is True)


@dataclass(frozen=True)
class Comparison:
    """A model to evaluate, its base, the names to look for, and the contexts and languages to ask in.

    `revisions` has those of models of the Hub, `asked` the options with which the run asked, by model. `origin` says
    where the names come from, `run` is the name
    of the run that the pairs are from, `judge` the name of the one that made it, `judge_settings` what the run says of
    it, and `training` what is known of the model's training.
    """

    model: str
    base: str | None
    revisions: Mapping[str, str | None]
    rules: Mapping[str, str]
    contexts: list[str | None]
    languages: Sequence[str]
    origin: str
    run: str | None = None
    judge: str | None = None
    judge_settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        against = f" against {self.base}" if self.base else ", without a base"
        names = f"{ModelNames(self.rules)}" if self.rules else "no names"
        origin = f", names from {self.origin}" if self.rules else ""
        alone = f", {LANGUAGES[self.languages[0]]} alone" if len(self.languages) == 1 else ""
        return f"model {self.model}{against}: {names}, {plural(len(self.contexts), 'context')}{alone}{origin}"

    def questions(self) -> dict[str, list[Question]]:
        """Return all questions by kind, about these names, in these contexts and languages."""
        return questions(ModelNames(self.rules), self.contexts, self.languages)

    def as_json(self) -> dict[str, Any]:
        """Return the settings under the names by which `Setting.read` finds them again."""
        is_folder = {"base_is_folder": True} if self.base and Path(self.base).is_dir() else {}
        found: dict[str, Any] = {"model": self.model, "base": self.base, **is_folder}
        found |= {"revision": self.revisions.get(self.base)} if self.base else {}
        found |= {"rules": dict(self.rules), "contexts": [*map(label, self.contexts)], "names_from": self.origin}
        found |= {"languages": [*self.languages]}
        found |= {"run": self.run} if self.run else {}
        return found | ({"training": dict(self.training)} if self.training else {})


def find_comparison(options: EvaluateOptions) -> Comparison:
    """Find out what is to be judged: from the options, else from files beside the model, else from the latest run.

    Raises InputError where there is no model, or no such base.
    """
    for name in ("model", "base", "run"):
        value = getattr(options, name)
        if value is not None and not (value.strip() and _can_be_path(value)):
            what = f"--{name} {one_line(value, 60)!r} is neither a folder nor a name"
            raise InputError(what, fix=f"e.g. --{name} {'latest' if name == 'run' else 'pocket'}")
    run = _run(options)
    model = options.model or (as_tuple(options.replay)[0] if options.replay and not run else _trained(run, options))
    given = rules_of(options.from_, options.to) if options.from_ or options.to else None
    languages = [*dict.fromkeys(as_tuple(options.lang))]
    if unknown := [one for one in languages if one not in LANGUAGES]:
        what = f"--lang {one_line(unknown[0], 40)}: there are no questions in this language"
        raise InputError(what, fix=f"use {' or '.join(LANGUAGES)}")
    sources = [Setting("the options", given, languages=languages or None, base=options.base)]
    try:
        sources += _files(model, run if options.run else None)
    except InputError as error:
        if not (given and options.base):
            raise
        note(f"warning: {error.message}: not used")
    if run:
        sources.append(_of_run(run, model, options))

    def first(name: str) -> Setting:
        return next((source for source in sources if getattr(source, name) is not None), Setting(""))

    named, based = first("rules"), first("base")
    if based.base and _same(model, based.base):
        raise InputError(f"the model and its base are both {model}", fix="give another --base, or none")
    if based.base and not (options.base or options.base_url or options.provider or options.replay):
        _check_exists(based.base, based)
    revisions: dict[str | None, str | None] = {str(run.settings["model"]): run.settings.get("revision")} if run else {}
    revisions |= {based.base: based.revision} if based.revision else {}
    made_by = run.settings.get("judge") if run else None
    on_hub = [name for name in (based.base, model) if name and not _is_here(name)]
    return Comparison(
        model,
        based.base,
        {name: options.revision or revisions.get(name) for name in on_hub},
        named.rules or {},
        contexts_of(options, first("contexts").contexts or [None, HELPFUL_SYSTEM_MESSAGE]),
        first("languages").languages or [*LANGUAGES],
        named.origin,
        first("run").run,
        first("judge").judge,
        made_by if isinstance(made_by, Mapping) else {},
        TrainingFacts.beside(model).as_json(),
        {name: run.asked_with(name) for name in (based.base, model) if name and run},
    )


def _run(options: EvaluateOptions) -> Run | None:
    """Return the given run, or the one that the model's folder is in; where no model is given, the latest."""
    if options.run:
        return Run.load(run_folder(options.run, options.output))
    if not options.model:
        return latest(out_dir(options.output))
    folder = Path(options.model)
    if not TrainedModel.at(folder) and find_run(options.model, options.output):
        raise InputError(f"{options.model} is a run, not a model", fix=f"--run {options.model}")
    if not folder.is_dir():
        return None
    beside = folder.resolve().parent
    run = Run.find(beside)
    if run is None and (beside / "run.json").exists():
        note(f"warning: {beside / 'run.json'} is not that of a run, and is not used")
    return run


def _trained(run: Run | None, options: EvaluateOptions) -> str:
    """Return the model that was trained last on the run. Raises InputError where there is none."""
    if run is None:
        what = f"no run under {out_dir(options.output)}, and no model is given"
        raise InputError(what, fix="name the model with -m, or the folder that holds the runs with -o DIR")
    if not run.trained:
        fix = f"train one: pairforge train dpo --dataset {run.path}, or name one with -m"
        raise InputError(f"no model was trained on {run.path}", fix=fix)
    return str(run.trained[-1].path)


def _files(model: str, run: Run | None) -> Iterator[Setting]:
    """Yield what the model's verdict.json says, unless it is not about the run that the user names."""
    file = Path(model) / "verdict.json"
    values = _read(file)
    if values is not None and (run is None or values.get("run") == run.path.name):
        yield Setting.read(str(file), values)


def _read(file: Path) -> Mapping[str, Any] | None:
    """Return the JSON object in a file, None where there is no file."""
    try:
        value = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} can't be read: {error_line(error)}", fix=_GIVE) from error
    if not isinstance(value, dict):
        raise InputError(f"{file} is not a verdict: it is a JSON {type(value).__name__}", fix=_GIVE)
    return value


def _of_run(run: Run, model: str, options: EvaluateOptions) -> Setting:
    """Return what a run says; its model is the base of those that were trained on its pairs."""
    settings, judge = run.settings, run.settings.get("judge")
    trained = any(_same(model, str(one.path)) for one in run.trained)
    values = {
        "rules": settings.get("rules", {}),
        "contexts": settings.get("contexts"),
        "judge": judge.get("judge") if isinstance(judge, Mapping) else None,
        "run": run.path.name,
        **({"base": settings["model"], "revision": settings.get("revision")} if trained else {}),
    }
    chosen = "" if options.run or options.model else "the latest run, "
    return Setting.read(f"{chosen}{run.path}", values)


def _can_be_path(text: str) -> bool:
    """Return False for a text that the system can't look up: one that is too long, or holds a NUL."""
    try:
        os.stat(text)
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:
        return isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG
    return True


def _same(one: str, other: str) -> bool:
    return one == other or Path(one).resolve() == Path(other).resolve()


def _is_here(model: str) -> bool:
    return model == POCKET or is_gguf(model) or Path(model).is_dir()


def _check_exists(base: str, of: Setting) -> None:
    """Refuse a base that was a folder when the file was written, and is none now."""
    on_hub = not of.base_is_folder and (HUB_ID.fullmatch(base) or is_gguf(base))
    if not (on_hub or Path(base).is_dir()):
        raise InputError(f"the base {base}, which {of.origin} names, is not there", fix="say where it is: --base DIR")
