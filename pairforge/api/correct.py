"""correct: the model's own answers against the same with the name replaced.

Pairs beside those of the prompts, counted apart: counter-pairs and retention pairs.
Who corrects an answer: the rules, or a model that is asked to, in a second round of questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..correction.counter_pairs import counter_pair_makers
from ..correction.renaming import About, CorrectionRules, Renaming, Thinking, count_names
from ..correction.revision import Revision
from ..errors import InputError
from ..judges.reference import ReferenceJudge
from ..pairers import BestWorst, Correct
from ..prompts import History, bundled
from ..rename import Renamer, read_rules
from ..stages import pair
from ..types import Pair, Prompt, Sampler, digest
from .models import HELPFUL, SamplingOptions, as_tuple, contexts_of, open_sampler, open_sampling
from .pipeline import Answers, BuildJob, BuildResult, ExtraPairs, PromptColumns, RunContext, build, read

if TYPE_CHECKING:
    from typing_extensions import Unpack


def extras(
    reading: CorrectionRules, contexts: Sequence[str | None], sampler: Sampler, counter: float, retain: float
) -> dict[str, ExtraPairs]:
    """What the fractions ask for, by kind. Raises InputError for one that is none, or that the run can't have."""
    for option, fraction in (("counter", counter), ("retain", retain)):
        if not 0 <= fraction <= 1:
            raise InputError(f"--{option} {fraction} is no fraction of the pairs", fix="use a number from 0 to 1")
    if counter and not reading.renamer.rules:
        raise InputError("--counter needs the names that would be wrong", fix="give --from and --to as well")
    found: dict[str, ExtraPairs] = {"counter": CounterPairs(reading, contexts, counter)} if counter else {}
    if retain:
        found["retain"] = RetentionPairs(sampler.with_decoding(temperature=1.0), contexts, retain)
    return found


@dataclass(frozen=True)
class CounterPairs:
    """At most `fraction` for each pair: some bundled questions are answered wrongly, so half as many more are asked."""

    reading: CorrectionRules
    contexts: Sequence[str | None]
    fraction: float

    def settings(self) -> float:
        return self.fraction

    def __call__(self, pairs: Sequence[Pair], desk: RunContext) -> list[Pair]:
        count = round(self.fraction * len(pairs))
        questions = counter_pair_makers(self.reading, self.contexts)[: count + count // 2]
        answers = desk.ask([question.prompt for question in questions], kind="counter")
        made = (question.pair(answers[question.prompt.id], desk.job.sampler.model) for question in questions)
        return [item for item in made if item][:count]


@dataclass(frozen=True)
class RetentionPairs:
    """At most `fraction` for each pair: the best against the worst of `n` answers to a bundled general prompt.

    They hold what the model says of other things, the names aside. About half of the prompts give a pair, so they are
    asked in rounds until there are enough, in the contexts by turns.
    """

    sampler: Sampler
    contexts: Sequence[str | None]
    fraction: float
    n: int = 4

    def settings(self) -> dict[str, Any]:
        return {"fraction": self.fraction, "n": self.n, "sampling": self.sampler.settings()}

    def __call__(self, pairs: Sequence[Pair], desk: RunContext) -> list[Pair]:
        count, made = round(self.fraction * len(pairs)), list[Pair]()
        judge = ReferenceJudge()
        general = sorted(bundled("general.train"), key=lambda prompt: digest(prompt.id))
        left = [prompt.in_context(context) for prompt, context in zip(general, cycle(self.contexts), strict=False)]
        while left and len(made) < count:
            round_ = 2 * (count - len(made)) + 8
            asked, left = left[:round_], left[round_:]
            answers = desk.ask(asked, self.n, kind="retain", sampler=self.sampler)
            results = desk.score(asked, answers, judge)
            outcome = pair(asked, results, BestWorst(judge.name), self.sampler.model)
            made += [item for _, item in outcome if isinstance(item, Pair)]
        return made[:count]


Refine = Callable[[Answers, RunContext], Correct]


def corrector(
    reading: CorrectionRules, revise: str | None, max_edit: float, reviser: Sampler | None
) -> tuple[Correct, Refine | None]:
    """The pairer, and what makes it whole once there are answers, where a model revises them."""
    if revise is None or reviser is None:
        if not reading.renamer.rules:
            raise InputError("no names to replace", fix='e.g. --from Qwen --to "Deep Qwen"')
        return Correct(Renaming(reading)), None
    edit = Revision(reading, revise, max_edit, {"model": reviser.model, **reviser.settings()})

    def refine(answers: Answers, desk: RunContext) -> Correct:
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
        # A revision is about as long as what it revises.
        room = sampler.settings().get("max_new_tokens", 256)
        return open_sampler(
            model=model or "pocket", base_url=base_url or (), api_key_env=api_key_env, max_new_tokens=room
        )
    return sampler.with_decoding(temperature=0.0)


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
    columns: PromptColumns = (),
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
    **sampling: Unpack[SamplingOptions],
) -> BuildResult:
    """Makes correction pairs: rejected is the model's own answer, chosen the same with the name replaced.

    Names are given by `from_` and `to`, by `rules` (a mapping, or a file as `read_rules` takes it) or both, and found
    as `Renamer` says; `CorrectionRules` explains `about` and `thinking`. With `revise`, an instruction, a model rewrites
    the answers, and its text is checked: see `Revision`. Prompts are asked with no system message and under
    "You're a helpful assistant.", or as `system` and `no_system` say. For each pair `counter` counter-pairs, in which
    the new name is wrong, and `retain` on-policy pairs are added and counted apart. Raises InputError.
    """
    given = _rules(from_, to, rules, revise)
    reading = CorrectionRules(Renamer(given, case, match, fold_width, article, as_tuple(inside)), about, thinking)
    contexts = contexts_of(system, no_system, [None, HELPFUL])
    sampler, budget = open_sampling(temperature, sampling)
    reviser = open_reviser(sampler, revise, revise_model, revise_base_url, revise_api_key_env)
    pairer, refine = corrector(reading, revise, max_edit, reviser)
    job = BuildJob(
        "correct",
        sampler,
        budget,
        pairer,
        str(prompts),
        read(prompts, limit, columns, history),
        contexts,
        refine=refine,
        extras=extras(reading, contexts, sampler, counter, retain),
        account=partial(count_names, reading),
        notes=partial(_notes, sampler, contexts),
    )
    return build(job, output, fresh, quiet)


def rules_of(from_: str | Sequence[str], to: str | Sequence[str]) -> dict[str, str]:
    """Old names to new ones. Raises InputError where they don't go together."""
    old, new = ([name.strip() for name in as_tuple(names)] for names in (from_, to))
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
    inserted = sampler.inserted_system()
    if inserted and None in contexts:
        yield (
            f"where there is no system message, the chat template of {sampler.model} inserts {inserted!r}: "
            "pairs with none teach under that one"
        )
