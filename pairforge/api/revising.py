"""Who corrects an answer: the rules, or a model that is asked to, in a second round of questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..correction.edits import Reading, Renaming
from ..correction.revise import Revision
from ..errors import InputError
from ..pairers import Correct
from ..samplers.decoding import GREEDY
from ..samplers.drawn import Drawn
from ..types import Prompt, Sampler
from .build import Answers, Desk
from .sampling import open_sampler

Refine = Callable[[Answers, Desk], Correct]


def corrector(
    reading: Reading, revise: str | None, max_edit: float, reviser: Sampler | None
) -> tuple[Correct, Refine | None]:
    """The pairer, and what makes it whole once there are answers, where a model revises them."""
    if revise is None or reviser is None:
        if not reading.renamer.rules:
            raise InputError("no names to replace", fix='e.g. --from Qwen --to "Deep Qwen"')
        return Correct(Renaming(reading)), None
    edit = Revision(reading, revise, max_edit, {"model": reviser.model, **reviser.settings()})

    def refine(answers: Answers, desk: Desk) -> Correct:
        given = [(prompt, answers[prompt.id]) for prompt in desk.job.asked if isinstance(prompt, Prompt)]
        requests = [edit.request(prompt, one) for prompt, found in given if isinstance(found, list) for one in found]
        asked = [request for request in requests if isinstance(request, Prompt)]
        return Correct(replace(edit, revised=desk.ask(asked, kind="revise", sampler=reviser)))

    return Correct(edit), refine


def open_reviser(
    sampler: Sampler, revise: str | None, model: str | None, base_url: str | None, api_key_env: str | None
) -> Sampler | None:
    """Who revises, greedily: the asked model, unless another is named. None where nobody is to."""
    if revise is None:
        if model or base_url or api_key_env:
            raise InputError("--revise-model means nothing without --revise", fix='e.g. --revise "say that you are X"')
        return None
    if model or base_url:
        room = getattr(sampler, "decoding", GREEDY).max_new_tokens  # a revision is about as long as what it revises
        return open_sampler(
            model=model or "pocket", base_url=base_url or (), api_key_env=api_key_env, max_new_tokens=room
        )
    return Drawn(sampler, temperature=0.0)
