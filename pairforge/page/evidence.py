"""What a run left beside its pairs, for the page: all answers with their scores, the training, and the verdict."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any

from ..disk import json_object
from ..errors import InputError
from ..evaluation.verdict_html import measures
from ..learning_curves import is_drawable
from ..run import Run
from ..stages import judged_group, score_keys, stored_scores
from ..store import Store
from ..types import AnswerGroup, Prompt, digest

_FAILED = 200  # answers that are shown of a verdict
_CURVES = ("loss", "rewards/margins", "rewards/accuracies", "rewards/chosen", "rewards/rejected", "eval_loss")


class StoredScores:
    """The scores of all judges in a store; that of the run, whose settings are given, comes first."""

    def __init__(self, store: Store, judge: Any = None) -> None:
        self.store, self._own = store, judge

    @cached_property
    def judges(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The judges, each with its settings; of two with one name, the name has a digest of them behind it."""
        listed = self._own.get("judges", [self._own]) if isinstance(self._own, Mapping) else []
        known = {digest(one): one for one in (*listed, *self.store.settings()) if isinstance(one, Mapping)}
        found = [(str(one["judge"]), one) for one in known.values() if "judge" in one and "judges" not in one]
        names = [name for name, _ in found]
        return [
            (name if names.count(name) == 1 else f"{name} {digest(settings, 4)}", settings) for name, settings in found
        ]

    def of(self, group: AnswerGroup) -> dict[str, dict[str, float]]:
        """Return the scores of a prompt's answers, by judge and by the digest of the answer."""
        keys = [score_keys(group)]
        found = {name: stored_scores(self.store, settings, keys)[0] for name, settings in self.judges}
        return {name: scores for name, scores in found.items() if scores}


class RunEvidence:
    """The answers and scores of a run, read as they are asked for, and what became of the models trained on it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._asked, self._prompts, self._lock = run.asked(), dict[str, Prompt](), threading.Lock()

    def _prompt(self, prompt_id: str) -> Prompt | None:
        """Return a prompt of the run; they are read only as far as one was asked for."""
        with self._lock, suppress(InputError):
            while prompt_id not in self._prompts and (prompt := next(self._asked, None)):
                self._prompts[prompt.id] = prompt
        return self._prompts.get(prompt_id)

    @cached_property
    def _store(self) -> Store | None:
        with suppress(InputError):
            return Store(self.run.path.parent, read_only=True)
        return None

    @cached_property
    def _scores(self) -> StoredScores | None:
        return StoredScores(self._store, self.run.settings.get("judge")) if self._store else None

    def candidates(self, prompt_id: str) -> list[dict[str, Any]]:
        """Return all stored answers to a prompt, each with the scores that judges gave it."""
        sampling = self.run.settings.get("sampling")
        if not self._store or not isinstance(sampling, Mapping):
            return []
        answers = self._store.answers_to(sampling, prompt_id)
        if type(n := self.run.settings.get("n")) is int:
            answers = answers[:n]
        found: list[dict[str, Any]] = [
            {"text": one.text, "finish": one.finish, "tokens": one.tokens, "scores": {}}
            | ({"thought": one.thought} if one.thought else {})
            for one in answers
        ]
        if len(answers) < 2 or not (prompt := self._prompt(prompt_id)):
            return found
        group = judged_group(prompt, answers)
        for name, scores in (self._scores.of(group) if self._scores else {}).items():
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
        """Return the verdict on each model that has one: its measures as texts, and the answers that count against it.

        The files of a run may be a stranger's: what is not of the right type is left out.
        """
        return [
            {
                "model": model.path.name,
                "outcome": model.outcome,
                "why": [*_texts(model.verdict.get("why"))],
                "measures": [
                    {
                        "name": one.name,
                        "texts": [*one.texts[:2], one.limit],
                        "ok": one.ok,
                    }
                    for one in sorted(measures(model.verdict), key=lambda one: not one.limit)
                    if "/" not in one.name  # a part of the questions, by context or language
                ],
                "answers": [*_texts(model.verdict.get("answers"))],
                "failed": [*_texts([*islice(model.failures(), _FAILED)])],
            }
            for model in self.run.trained
            if model.verdict
        ]

    def close(self) -> None:
        with suppress(sqlite3.Error):
            if self._store:
                self._store.close()


def _texts(rows: Any) -> Iterator[dict[str, str]]:
    """Yield the texts of each row, by name."""
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping):
            yield {name: value for name, value in row.items() if isinstance(value, str)}


def _points(lines: list[Mapping[str, Any]], name: str) -> Iterator[list[Any]]:
    for line in lines:
        step, value = line.get("step"), line.get(name)
        if is_drawable(step) and is_drawable(value):
            yield [step, value]
