"""ask: the same questions to one or more models, their answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..console import table
from ..run import Run, latest, out_dir
from ..store import Store
from ..types import Answer, Message, Prompt, Skip
from .models import SamplerOptions, answer, shared_sampler, tuned_on

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from typing_extensions import Unpack

QUESTIONS = ("What is your name?", "Are you ChatGPT?", "Tell me about your name and organization.")


@dataclass
class Asked:
    """The answers: `answers[model][question]`."""

    answers: dict[str, dict[str, str]]
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "ask", "ok": self.ok, "answers": self.answers}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        questions = next(iter(self.answers.values()), {})
        rows = [[question, *(given[question] for given in self.answers.values())] for question in questions]
        yield table("", ["question", *self.answers], rows)


def ask(
    questions: Sequence[str] = QUESTIONS,
    *,
    model: Sequence[str] = (),
    system: str | None = None,
    temperature: float = 0.0,
    output: str | None = None,
    quiet: bool = False,
    **source: Unpack[SamplerOptions],
) -> Asked:
    """Asks each model each question; by default the latest run's model, and the one tuned on it if it exists.

    `system` is the system message; None leaves it to the chat template.
    """
    run = latest(out_dir(output))
    models = [model] if isinstance(model, str) else list(model) or _models(run)
    asked = [questions] if isinstance(questions, str) else list(questions) or QUESTIONS
    prompts = [Prompt((Message(role="user", content=question),)).in_context(system) for question in asked]
    store = Store(out_dir(output))
    answers: dict[str, dict[str, str]] = {}
    for name in models:
        named: Any = {"revision": run.revision_of(name) if run else None, **source, "model": name}
        sampler = shared_sampler(temperature=temperature, **named)
        given = answer(prompts, sampler, 1, store, f"ask: {name}", quiet)
        answers[name] = {prompt.question: _text(given[prompt.id]) for prompt in prompts}
    store.close()
    return Asked(answers)


def _models(run: Run | None) -> list[str]:
    if run is None:
        return ["pocket"]
    return [run.settings["model"], *([tuned] if (tuned := tuned_on(run)) else [])]


def _text(given: list[Answer] | Skip) -> str:
    if isinstance(given, Skip):
        return f"({given.reason.replace('_', ' ')}: {given.detail})"
    said = given[0]
    return said.text + (" ... (cut off)" if said.finish == "length" else "")
