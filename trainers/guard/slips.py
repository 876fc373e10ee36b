"""How likely a model is to begin on what the pairs teach and go wrong: half a name, before it is ever sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .lesson import Lesson
from .probes import scores


@dataclass
class Slips:
    """Chosen completions behind their prompts, as token ids, and the lesson that stands in them."""

    prompts: Sequence[Sequence[int]]
    chosen: Sequence[Sequence[int]]
    lesson: Lesson
    pad: int

    def measure(self, model: Any) -> float:
        """The probability, on average over the completions, that the first word of the lesson is said where it stands,
        and followed by what follows it in no chosen completion; 0 without a lesson. Call within `asking`.

        Forward passes alone, and sharper than as many sampled answers, which either slip or don't.
        """
        rows = [
            (prompt, chosen, *steps[0])
            for prompt, chosen in zip(self.prompts, self.chosen, strict=True)
            if (steps := list(self.lesson.steps(chosen)))
        ]
        if not rows:
            return 0.0
        read = scores(model, [[*prompt, *chosen] for prompt, chosen, *_ in rows], self.pad)
        found = []
        for logits, (prompt, chosen, place, after) in zip(read, rows, strict=True):
            said = logits[len(prompt) + place - 1 : len(prompt) + after].float().softmax(-1)
            taught, *blanks = (said[at, token] for at, token in enumerate(chosen[place:after]))
            right = said[-1, sorted(self.lesson.followers[chosen[place]])].sum()
            for blank in blanks:
                right = right * blank
            found.append(float(taught * (1 - right)))
        return sum(found) / len(found)
