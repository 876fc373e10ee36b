"""What a run left beside its pairs, for the page: all answers with their scores, the training, and the verdict."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from ..disk import json_object
from ..errors import InputError
from ..run import Run
from ..store import Store
from ..types import AnswerGroup, Prompt, digest

_CURVES = ("loss", "rewards/margins", "rewards/accuracies", "rewards/chosen", "rewards/rejected", "eval_loss")


class RunEvidence:
    """The answers and scores of a run, read as they are asked for, and what became of the models trained on it."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def _prompts(self) -> Mapping[str, Prompt]:
        """The prompts of the run by their ids, in its contexts."""
        with suppress(InputError):
            contexts = self.run.settings.get("contexts") or [None]
            prompts = [one for one in self.run.read_prompts() if isinstance(one, Prompt)]
            return {made.id: made for one in prompts for made in map(one.in_context, contexts)}
        return {}

    @cached_property
    def _store(self) -> Store | None:
        with suppress(InputError):
            return Store(self.run.path.parent, read_only=True)
        return None

    @cached_property
    def _judges(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The judges whose scores are stored, each with its settings; that of the run comes first."""
        own = self.run.settings.get("judge")
        listed = own.get("judges", [own]) if isinstance(own, Mapping) else []
        known = {digest(one): one for one in (*listed, *(self._store.settings() if self._store else ()))}
        found = [(str(one["judge"]), one) for one in known.values() if isinstance(one, Mapping) and "judge" in one]
        names = [name for name, _ in found]
        return [
            (name if names.count(name) == 1 else f"{name} {digest(settings, 4)}", settings) for name, settings in found
        ]

    def candidates(self, prompt_id: str) -> list[dict[str, Any]]:
        """Return all stored answers to a prompt, each with the scores that judges gave it."""
        sampling = self.run.settings.get("sampling")
        if not self._store or not isinstance(sampling, Mapping):
            return []
        answers = self._store.answers_to(sampling, prompt_id)
        if type(n := self.run.settings.get("n")) is int:
            answers = answers[:n]
        found = [
            {"text": one.text, "finish": one.finish, "tokens": one.tokens, "scores": {}}
            | ({"thought": one.thought} if one.thought else {})
            for one in answers
        ]
        prompt = self._prompts.get(prompt_id)
        if prompt is None or len(answers) < 2:
            return found
        texts = list(dict.fromkeys(one.text for one in answers if one.finish == "stop" and one.text.strip()))
        key = AnswerGroup(prompt, texts).key
        keys = {key, digest([key, sorted(texts)])}
        for name, settings in self._judges:
            scores = {answer: score for (_, answer), score in self._store.scores(settings, keys).items()}
            for one in found:
                if (score := scores.get(digest(one["text"]))) is not None:
                    one["scores"][name] = score
        return found

    def training(self) -> list[dict[str, Any]]:
        """Return the curves of each model that was trained on the pairs: `{"model", "steps", "curves", "guard"}`."""
        found = []
        for model in self.run.trained:
            history = json_object(model.path / "history.json")
            log = history.get("log")
            lines = [line for line in log if isinstance(line, Mapping)] if isinstance(log, list) else []
            curves = {name: [*_points(lines, name)] for name in _CURVES}
            guard = history.get("guard")
            found.append(
                {
                    "model": model.path.name,
                    "outcome": model.outcome,
                    "steps": history.get("steps"),
                    "about": history.get("training") or {},
                    "curves": {name: points for name, points in curves.items() if points},
                    "alarm": guard.get("alarm") if isinstance(guard, Mapping) else None,
                }
            )
        return found

    def verdicts(self) -> list[dict[str, Any]]:
        """Return the verdict on each model that has one, with the answers that failed: the content of its files."""
        found = []
        for model in self.run.trained:
            if model.verdict:
                failed = []
                with suppress(OSError, ValueError):
                    lines = (model.path / "failures.jsonl").read_text("utf-8").splitlines()[:200]
                    failed = [json.loads(line) for line in lines]
                found.append({"model": model.path.name, "outcome": model.outcome, **model.verdict, "failed": failed})
        return found

    def close(self) -> None:
        with suppress(sqlite3.Error):
            if self._store:
                self._store.close()


def _points(lines: list[Mapping[str, Any]], name: str) -> Iterator[list[float]]:
    for line in lines:
        step, value = line.get("step"), line.get(name)
        if all(type(one) in (int, float) for one in (step, value)):
            yield [step, value]  # type: ignore[list-item]
