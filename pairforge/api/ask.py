"""ask: the same questions to one or more models, their answers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import note, table
from ..errors import InputError
from ..evaluation.failing_answers import text_of
from ..notebook import HtmlRepr
from ..options.asking import AskOptions
from ..options.declaration import as_tuple, keywords, part_of
from ..options.sampling import SamplerOptions
from ..run import TrainedModel, latest, out_dir
from ..samplers.model_loading import POCKET
from ..store import Store
from ..text import visible
from ..types import Answer, Message, Prompt, Skip
from .models import answer, as_asked, shared_sampler

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

QUESTIONS = ("What is your name?", "Are you ChatGPT?", "Tell me about your name and organization.")
_COLUMN = 20
"""The columns of text that an answer needs at least to stand beside others."""


@dataclass
class Asked(HtmlRepr):
    """The answers: `answers[model][question]`."""

    answers: dict[str, dict[str, str]]
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "ask", "ok": self.ok, "answers": self.answers}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        from rich.text import Text

        questions = next(iter(self.answers.values()), {})
        # A folder by its last two parts, e.g. that of a run and "model": the whole path would fill the column.
        names = ["/".join(Path(name).parts[-2:]) if Path(name).is_dir() else name for name in self.answers]
        if options.max_width // (1 + len(names)) >= _COLUMN:
            rows = [[question, *(given[question] for given in self.answers.values())] for question in questions]
            yield table("", ["question", *names], rows)
            return
        for question in questions:
            yield Text(visible(question), style="bold")
            for name, given in zip(names, self.answers.values(), strict=True):
                yield Text(f"  {visible(name)}: {visible(given[question])}")


@keywords(AskOptions)
def ask(options: AskOptions) -> Asked:
    """Ask each model each question, and say on stderr which models are asked.

    By default these are the latest run's model and the one trained last on it, or the bundled pocket model where there
    is no run, and the questions are `QUESTIONS`. Without `system` the chat template decides on a system message.

    Raises InputError for a question without text.
    """
    run = latest(out_dir(options.output))
    asked = as_tuple(options.questions) or QUESTIONS
    if not all(question.strip() for question in asked):
        raise InputError("a question is empty", fix='write it in quotes: pairforge ask "Who are you?"')
    prompts = [Prompt((Message(role="user", content=question),)).in_context(options.system) for question in asked]
    latest_models = [str(run.settings["model"]), *(str(one.path) for one in run.trained[-1:])] if run else [POCKET]
    models = as_tuple(options.model) or latest_models
    if not options.quiet:
        named = " and ".join(f"{name}, the bundled toy model" if name == POCKET else name for name in models)
        note(f"asking {named}" + ("" if options.model or run else " (-m MODEL for another)"))
    answers: dict[str, dict[str, str]] = {}
    with closing(Store(out_dir(options.output))) as store:
        for name in models:
            known = run.asked_with(name) if run and (name in latest_models or TrainedModel.at(Path(name))) else {}
            sampler = shared_sampler(as_asked(part_of(options, SamplerOptions, model=name), known), options.quiet)
            given = answer(prompts, sampler, 1, store, f"ask: {name}", options.quiet)
            answers[name] = {prompt.question: _text(given[prompt.id]) for prompt in prompts}
    return Asked(answers)


def _text(given: list[Answer] | Skip) -> str:
    cut_off = not isinstance(given, Skip) and given[0].finish == "length"
    return text_of(given) + " ... (cut off)" * cut_off
