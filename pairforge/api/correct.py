"""correct: the model's own answers against the same with the name replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..correction.edits import About, Reading, Thinking, tally
from ..errors import InputError
from ..prompts import History
from ..rename import Renamer, read_rules
from ..types import Sampler
from .asking import HELPFUL, contexts_of
from .build import Built, Columns, Job, build, read
from .extras import extras
from .revising import corrector, open_reviser
from .sampling import Sampling, open_sampling, several

if TYPE_CHECKING:
    from typing_extensions import Unpack


def correct(
    from_: str | Sequence[str] = (),
    to: str | Sequence[str] = (),
    *,
    rules: str | Path | Mapping[str, str] | None = None,
    case: Literal["exact", "smart"] = "exact",
    match: Literal["literal", "regex"] = "literal",
    fold_width: bool = False,
    article: bool = False,
    inside: str | Sequence[str] = (),
    revise: str | None = None,
    max_edit: float = 0.3,
    revise_model: str | None = None,
    revise_base_url: str | None = None,
    revise_api_key_env: str | None = None,
    about: About = "self",
    thinking: Thinking = "keep",
    prompts: str = "identity.train",
    columns: Columns = (),
    history: History = "last",
    system: str | Sequence[str] = (),
    no_system: bool = False,
    counter: float = 0.0,
    retain: float = 0.0,
    limit: int | None = None,
    temperature: float = 0.0,
    output: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
    **sampling: Unpack[Sampling],
) -> Built:
    """Makes correction pairs: rejected is the model's own answer, chosen the same with the name replaced.

    Names are given by `from_` and `to`, by `rules` (a mapping, or a file as `read_rules` takes it) or both, and found
    as `Renamer` says; `Reading` tells of `about` and `thinking`. With `revise`, an instruction, a model rewrites the
    answers, and what it makes of them is checked: see `Revision`. Prompts are asked with no system message and under
    "You're a helpful assistant.", or as `system` and `no_system` say. For each pair `counter` counter-pairs, in which
    the new name is wrong, and `retain` on-policy pairs are added and counted apart. Raises InputError.
    """
    given = _rules(from_, to, rules, revise)
    reading = Reading(Renamer(given, case, match, fold_width, article, several(inside)), about, thinking)
    contexts = contexts_of(system, no_system, [None, HELPFUL])
    sampler, budget = open_sampling(temperature, sampling)
    reviser = open_reviser(sampler, revise, revise_model, revise_base_url, revise_api_key_env)
    pairer, refine = corrector(reading, revise, max_edit, reviser)
    job = Job(
        "correct",
        sampler,
        budget,
        pairer,
        str(prompts),
        read(prompts, limit, columns, history),
        contexts,
        refine=refine,
        extras=extras(reading, contexts, sampler, counter, retain),
        account=partial(tally, reading),
        notes=partial(_notes, sampler, contexts),
    )
    return build(job, output, fresh, quiet)


def rules_of(from_: str | Sequence[str], to: str | Sequence[str]) -> dict[str, str]:
    """Old names to new ones. Raises InputError where they don't go together."""
    old, new = ([name.strip() for name in several(names)] for names in (from_, to))
    if len(old) != len(new) or not old:
        raise InputError(f"{len(old)} names to replace, {len(new)} new ones", fix="give each --from its --to")
    for a, b in zip(old, new, strict=True):
        if not a or not b:
            raise InputError("a name is empty", fix='e.g. --from Qwen --to "Deep Qwen"')
        if a == b:
            raise InputError(
                f"--from and --to are both {a!r}: nothing would change", fix='e.g. --from Qwen --to "Deep Qwen"'
            )
    if repeated := [name for name in old if old.count(name) > 1]:
        raise InputError(f"--from {repeated[0]} is given more than once", fix="give each old name one new one")
    return dict(zip(old, new, strict=True))


def _rules(
    from_: str | Sequence[str],
    to: str | Sequence[str],
    rules: str | Path | Mapping[str, str] | None,
    revise: str | None,
) -> dict[str, str]:
    """All rules together; there may be none where a model revises by its instruction."""
    given = dict(rules) if isinstance(rules, Mapping) else read_rules(rules) if rules else {}
    named = rules_of(from_, to) if from_ or to or not (given or revise) else {}
    if twice := next((name for name in named if given.get(name, named[name]) != named[name]), None):
        raise InputError(f"{twice!r} has another new name in --rules than in --to", fix="give it once")
    together = {**given, **named}
    if empty := next((old for old, new in together.items() if new == ""), None):
        raise InputError(f"{empty!r} has an empty new name", fix="give each old name a new one")
    if together and all(old == new for old, new in together.items()):
        raise InputError("each name is its own new one: nothing would change", fix='e.g. --from Qwen --to "Deep Qwen"')
    return together


def _notes(sampler: Sampler, contexts: Sequence[str | None]) -> Iterable[str]:
    """What the chat template says where nobody else does."""
    inserted = getattr(sampler, "inserted_system", lambda: None)()
    if inserted and None in contexts:
        yield (
            f"where there is no system message, the chat template of {sampler.model} inserts {inserted!r}: "
            "pairs with none teach under that one"
        )
