"""Scores answers by a user's own reward function, in the form that TRL's GRPOTrainer takes."""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError
from ..types import Prompt, Skip, digest


class FunctionJudge:
    """`f(prompts, completions, **columns) -> list[float | None]`: higher is better, None means not applicable.

    `prompts` is a list of message lists, `completions` a list of `[{"role": "assistant", "content": ...}]`, both of the
    same length; each column of the prompts comes as a list of that length.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function = function
        self.name = name

    def settings(self) -> dict[str, Any]:
        """The name and the source, so that an edited function scores anew."""
        try:
            source = inspect.getsource(self.function)
        except (OSError, TypeError):
            source = repr(self.function)
        return {"judge": self.name, "source": digest(source)}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        """The function's scores; a Skip where it raised, or gave None, NaN or no number."""
        columns = {
            key: [value] * len(answers)
            for key, value in prompt.columns.items()
            if key not in ("prompts", "completions")
        }
        completions = [[{"role": "assistant", "content": answer}] for answer in answers]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                scores = self.function(
                    prompts=[list(prompt.messages)] * len(answers), completions=completions, **columns
                )
        except Exception as error:  # noqa: BLE001 - a user's own code may raise anything
            return [Skip("unjudged", f"{self.name} raised {error!r}")] * len(answers)
        if not hasattr(scores, "__len__") or len(scores) != len(answers):
            raise InputError(
                f"the judge {self.name} gave {scores!r:.80} for {len(answers)} answers",
                fix="return one score an answer",
            )
        return [_score(value) for value in scores]


def _score(value: Any) -> float | Skip:
    if value is None:
        return Skip("unjudged", "not applicable")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return Skip("unjudged", f"no number: {value!r:.80}")
    return number if math.isfinite(number) else Skip("unjudged", f"not finite: {number}")
