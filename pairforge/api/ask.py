"""ask: the same questions to one or more models, their answers side by side."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import table
from ..options import AskOptions, SamplerOptions, keywords, part_of
from ..run import latest, out_dir
from ..store import Store
from ..types import Answer, Message, Prompt, Skip
from .models import answer, as_tuple, shared_sampler

QUESTIONS = ("What is your name?", "Are you ChatGPT?", "Tell me about your name and organization.")


@dataclass
class Asked:
    """The answers: `answers[model][question]`."""

    answers: dict[str, dict[str, str]]
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "ask", "ok": self.ok, "answers": self.answers}

    def __rich__(self) -> Any:
        questions = next(iter(self.answers.values()), {})
        rows = [[question, *(given[question] for given in self.answers.values())] for question in questions]
        # A folder by its last two parts, e.g. that of a run and "model": the whole path would fill the column.
        names = ["/".join(Path(name).parts[-2:]) if Path(name).is_dir() else name for name in self.answers]
        return table("", ["question", *names], rows)


@keywords(AskOptions)
def ask(options: AskOptions) -> Asked:
    """Ask each model each question; by default the latest run's model, and the one tuned on it if it exists.

    Without `system` the chat template decides on a system message.
    """
    run = latest(out_dir(options.output))
    prompts = [
        Prompt((Message(role="user", content=question),)).in_context(options.system)
        for question in as_tuple(options.questions) or QUESTIONS
    ]
    models = [run.settings["model"], *(str(one.path) for one in run.trained[-1:])] if run else ["pocket"]
    answers: dict[str, dict[str, str]] = {}
    with closing(Store(out_dir(options.output))) as store:
        for name in as_tuple(options.model) or models:
            revision = options.revision or (run.revision_of(name) if run else None)
            sampler = shared_sampler(part_of(options, SamplerOptions, model=name, revision=revision))
            given = answer(prompts, sampler, 1, store, f"ask: {name}", options.quiet)
            answers[name] = {prompt.question: _text(given[prompt.id]) for prompt in prompts}
    return Asked(answers)


def _text(given: list[Answer] | Skip) -> str:
    if isinstance(given, Skip):
        return f"({given.reason.replace('_', ' ')}: {given.detail})"
    said = given[0]
    return said.text + (" ... (cut off)" if said.finish == "length" else "")
