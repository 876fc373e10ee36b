"""correct: the model's own answers against the same with the name replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias

from ..console import note
from ..correction.counter_pairs import counter_pair_makers
from ..correction.given_answer import ReferenceAnswer
from ..correction.persona import Persona, ToldAnswer
from ..correction.renaming import CorrectionRules, NameCounts, Renaming
from ..correction.revision import Revision
from ..errors import InputError
from ..judges.reference import ReferenceJudge
from ..options.correction import CorrectOptions
from ..options.declaration import as_tuple, keywords, refuse_idle
from ..options.sampling import SamplerOptions
from ..pairers import BestWorstPairer, CorrectionPairer
from ..prompts import PLACEHOLDER, bundled
from ..rename import Renamer, mentions, read_rules
from ..run import latest, out_dir
from ..samplers.model_loading import POCKET
from ..stages import pair
from ..text import one_line
from ..types import Answer, Answers, Pair, Prompt, Sampler, Skip, digest
from .build_result import BuildResult
from .inputs import DEFAULT_RUN, latest_run
from .models import HELPFUL_SYSTEM_MESSAGE, contexts_of, open_sampler
from .pipeline import Builder, BuildJob, ExtraPairs, build, named_values, prepare, source_name

_CURLY = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_NO_SYSTEM = ("template", "rejected")  # skips of a template or server that may only refuse the system message
_OF_REVISION = ("revise_model", "revise_base_url", "revise_api_key_env", "max_edit")
_ROUND = 32  # the fewest questions that are asked at once for counter-pairs: more are faster together
_EXAMPLE = 'e.g. --from Qwen --to "Deep Qwen"'


@keywords(CorrectOptions)
def correct(options: CorrectOptions) -> BuildResult:
    """Make correction pairs: rejected is the model's own answer, chosen the same with the name replaced.

    Names are given by `from_` and `to`, by `rules` (a mapping, or a file as `read_rules` takes it) or both, and found
    as `Renamer` says; `CorrectionRules` explains `about` and `thinking`. With `revise`, an instruction, a model
    rewrites the answers, and its text is checked: see `Revision`. With `persona`, chosen is what the model says when it
    is told who it is, with `opening` how it goes on from there: see `ToldAnswer`; with `chosen` "reference", the answer
    in the prompt's row. Prompts are asked with no system message and under "You're a helpful assistant.", or as
    `system` and `no_system` say. Raises InputError.
    """
    names = Renamer(
        _rules(options), options.case, options.match, options.fold_width, options.article, as_tuple(options.inside)
    )
    rules = CorrectionRules(names, options.about, options.thinking)
    if options.persona is not None and not options.persona.strip():
        raise InputError("--persona is empty", fix='e.g. --persona "You are Deep Qwen, made by Acme."')
    if not options.revise:
        refuse_idle(options, _OF_REVISION, "--revise", 'e.g. --revise "say that you are X"')
    if not (options.persona or options.opening):
        refuse_idle(options, ["tries"], "--persona or --opening", "leave it out")
    fill = _fill(options)
    contexts = contexts_of(options, [None, HELPFUL_SYSTEM_MESSAGE])
    prompts, budget = prepare(options, options.prompts, fill)
    sampler = open_sampler(options, options.quiet)
    pairer, refine = _pairer(options, rules, sampler, fill)

    def notes() -> Iterator[str]:
        inserted = sampler.inserted_system()
        if inserted and None in contexts:
            renamed = "; give a copy with the new name, --chat-template FILE" if names.hits(inserted) else ""
            yield (
                f"where there is no system message, the chat template of {sampler.model} inserts {inserted!r}: "
                f"pairs without a system message will be trained under it{renamed}"
            )

    job = BuildJob(
        "correct",
        sampler,
        budget,
        pairer,
        source_name(options.prompts),
        prompts,
        contexts,
        by_default=not (options.system or options.no_system),
        refine=refine,
        extras=_extra_pairs(options, rules, sampler),
        names=None if options.persona or options.opening or fill is not None else partial(NameCounts, rules),
        keeps=rules.keeps,
        notes=notes,
        whole_sentences=options.whole_sentences,
    )
    return build(job, options, options.fresh)


def default_run(output: str | None = None, quiet: bool = False) -> Path:
    """Return the folder of the latest run; where there is none, make the one that asks the bundled pocket model.

    Both are said on stderr, unless `quiet`.
    """
    if latest(out_dir(output)):
        return latest_run(output, quiet=quiet)
    if not quiet:
        note(f"no run under {out_dir(output)}: making one with {DEFAULT_RUN}, which asks the bundled pocket model")
    return correct("Qwen", "Deep Qwen", model=POCKET, output=output, quiet=quiet).run.path


def rules_of(from_: str | Sequence[str], to: str | Sequence[str]) -> dict[str, str]:
    """Return the new name of each old one. Raises InputError where they don't go together."""
    old, new = ([name.strip() for name in as_tuple(names)] for names in (from_, to))
    if not old and not new:
        raise InputError("--from and --to are missing", fix=_EXAMPLE)
    if not new:
        missing = "what should replace " + ", ".join(f"'{one_line(name, 40)}'" for name in old)
        raise InputError(f"--to is missing: {missing}?", fix=_EXAMPLE)
    if not old:
        raise InputError(f"--from is missing: which name should become '{one_line(new[0], 40)}'?", fix=_EXAMPLE)
    if len(old) != len(new):
        fix = "give them in pairs: each --from needs one --to"
        raise InputError(f"{len(old)} --from but {len(new)} --to", fix=fix)
    for a, b in zip(old, new, strict=True):
        if not a or not b:
            raise InputError(f"--{'to' if a else 'from'} is empty", fix=_EXAMPLE)
        if quoted := next((name for name in (a, b) if name[0] in _CURLY and name[-1] in _CURLY), None):
            fix = f'write straight ones: "{one_line(quoted[1:-1], 40)}"'
            raise InputError(f"curly quotes around a name would become a part of it: {one_line(quoted, 40)}", fix=fix)
        if a == b:
            raise InputError(f"--from and --to are both {a!r}: nothing would change", fix=_EXAMPLE)
    if repeated := [name for name in old if old.count(name) > 1]:
        raise InputError(f"--from {repeated[0]} is given more than once", fix="give each old name one new one")
    return dict(zip(old, new, strict=True))


def _rules(options: CorrectOptions) -> dict[str, str]:
    """Return all rules together; there may be none where a model revises by its instruction."""
    rules = options.rules
    given = dict(rules) if isinstance(rules, Mapping) else read_rules(rules) if rules else {}
    told = options.persona or options.opening
    free = given or options.revise or told or options.chosen == "reference"
    named = dict[str, str]()
    if (options.from_ or options.to or not free) and not (told and not options.from_):
        named = rules_of(options.from_, options.to)
    if twice := next((name for name in named if given.get(name, named[name]) != named[name]), None):
        raise InputError(f"{twice!r} has another new name in --rules than in --to", fix="give it once")
    together = {**given, **named}
    if empty := next((old for old, new in together.items() if new == ""), None):
        raise InputError(f"{empty!r} has an empty new name", fix="give each old name a new one")
    if together and all(old == new for old, new in together.items()):
        raise InputError("each name is its own new one: nothing would change", fix=_EXAMPLE)
    return together


def _fill(options: CorrectOptions) -> dict[str, str] | None:
    """Return what the placeholders of the rows stand for; None where the rows have no answers that are chosen."""
    ways = {
        "--revise": options.revise,
        "--persona" if options.persona else "--opening": options.persona or options.opening,
        "--chosen reference": options.chosen == "reference",
    }
    if len(given := [name for name, value in ways.items() if value]) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other", fix="give one of them")
    if options.chosen == "reference":
        fill = named_values(options.fill, "--fill", 'name="Deep Qwen"')
        if open_ := next((name for name, text in fill.items() if not text.strip() or PLACEHOLDER.search(text)), None):
            what = "empty" if not fill[open_].strip() else f"itself a placeholder: {fill[open_]:.40}"
            raise InputError(f"--fill {open_} is {what}", fix=f'write what it stands for: --fill {open_}="Deep Qwen"')
        return fill
    if options.fill:
        raise InputError("--fill has no effect without --chosen reference", fix="add it, or leave --fill out")
    return None


Refine: TypeAlias = Callable[[Sequence[Prompt], Answers, Builder], CorrectionPairer]


def _told(options: CorrectOptions, rules: CorrectionRules, sampler: Sampler) -> tuple[CorrectionPairer, Refine]:
    """Return the pairer of what the model says under a persona, and what asks it, again where that is not right yet.

    It is asked as the run asks, then at temperature 1 where that was greedily. What can't hold a system message is told
    in the user turn.
    """
    if options.opening and (options.base_url or options.provider):
        raise InputError("--opening needs a model that is loaded here: a server begins each answer anew", fix="use -m")
    persona = replace(Persona.of(options.persona) if options.persona else Persona(""), opening=options.opening.strip())
    to = rules.renamer.rules.values() or as_tuple(options.to)
    names = tuple(dict.fromkeys([*map(str.strip, to), *persona.names]))
    if to and persona.names and not any(mentions(f"{persona.text}\n{persona.opening}", name.strip()) for name in to):
        what = f"the model is told that it is {persona.names[0]}, and --to names {', '.join(to)}"
        raise InputError(what, fix="give one name in both")
    if not any(names) and not (persona.must_hold or persona.must_not_hold):
        fix = "name it with --to, or write a file with lines must_hold: PATTERN"
        way = "--persona" if options.persona else "--opening"
        raise InputError(f"{way}: nothing says by what its answers are known", fix=fix)
    edit = ToldAnswer(persona, rules, names, options.tries)
    drawn = options.temperature > 0

    def refine(prompts: Sequence[Prompt], answers: Answers, builder: Builder) -> CorrectionPairer:
        told = dict[str, Sequence[Answer] | Skip]()
        open_ = [prompt for prompt, own in _answered(prompts, answers) if isinstance(edit.own(prompt, own[0]), str)]
        for turn in range(1 if options.replay else options.tries):
            again = sampler if drawn or not turn else sampler.with_decoding(temperature=1.0)
            found = _ask_told(persona, open_, turn + 1 if drawn else max(turn, 1), builder, again)
            for prompt in open_:
                new, old = found[prompt.id], told.get(prompt.id, ())
                told[prompt.id] = [*old, *new] if not isinstance(new, Skip) and not isinstance(old, Skip) else new
            open_ = [one for one in open_ if not isinstance(has := told[one.id], Skip) and edit.right(one, has) is None]
        return CorrectionPairer(replace(edit, told=told))

    return CorrectionPairer(edit), refine


def _answered(prompts: Sequence[Prompt], answers: Answers) -> Iterator[tuple[Prompt, list[Answer]]]:
    """Yield each prompt that was answered, with its answers."""
    for prompt in prompts:
        if isinstance(found := answers[prompt.id], list):
            yield prompt, found


def _ask_told(persona: Persona, prompts: Sequence[Prompt], n: int, builder: Builder, sampler: Sampler) -> Answers:
    """Return n answers to each prompt under the persona, by the id of the untold prompt."""
    found, left = dict[str, list[Answer] | Skip](), prompts
    for in_user_turn in (False, True):
        if left:
            told = {prompt.id: persona.told(prompt, in_user_turn=in_user_turn) for prompt in left}
            answers = builder.ask([*told.values()], n, kind="persona", sampler=sampler)
            for name, one in told.items():
                given = answers[one.id]
                found[name] = given if isinstance(given, Skip) else [*map(persona.whole, given)]
            left = [one for one in left if isinstance(skip := found[one.id], Skip) and skip.reason in _NO_SYSTEM]
    return found


def _pairer(
    options: CorrectOptions, rules: CorrectionRules, sampler: Sampler, fill: Mapping[str, str] | None
) -> tuple[CorrectionPairer, Refine | None]:
    """Return the pairer, and where more must be asked for it, the function that completes it from the answers.

    The model that is asked revises its own answers, greedily, unless another model is named.
    """
    if options.persona or options.opening:
        return _told(options, rules, sampler)
    if fill is not None:
        return CorrectionPairer(ReferenceAnswer(rules, fill)), None
    model, url, key = options.revise_model, options.revise_base_url, options.revise_api_key_env
    if options.revise is None:
        if not rules.renamer.rules:
            raise InputError("no names to replace", fix=_EXAMPLE)
        return CorrectionPairer(Renaming(rules)), None
    if model or url:
        # A revision is about as long as what it revises.
        room = sampler.settings().get("max_new_tokens", 256)
        named = SamplerOptions(model=model or POCKET, base_url=url or (), api_key_env=key, max_new_tokens=room)
        reviser = open_sampler(named, options.quiet)
    else:
        reviser = sampler.with_decoding(temperature=0.0)
    by = {"model": reviser.model, **reviser.settings()}
    edit = Revision(rules, options.revise, options.max_edit, by)

    def refine(prompts: Sequence[Prompt], answers: Answers, builder: Builder) -> CorrectionPairer:
        requests = [edit.request(prompt, one) for prompt, found in _answered(prompts, answers) for one in found]
        asked = [request for request in requests if isinstance(request, Prompt)]
        revised = builder.ask(asked, kind="revise", sampler=reviser)
        by.update(reviser.settings())  # its server may have refused a part of them
        return CorrectionPairer(replace(edit, revised=revised))

    return CorrectionPairer(edit), refine


def _extra_pairs(options: CorrectOptions, rules: CorrectionRules, sampler: Sampler) -> dict[str, ExtraPairs]:
    """Return what makes the added pairs that the options ask for, by kind."""
    extra: dict[str, ExtraPairs] = {}
    if options.counter:
        if not rules.renamer.rules:
            raise InputError("--counter needs the names that would be wrong", fix="give --from and --to as well")
        extra["counter"] = CounterPairs(rules, options.counter)
    if options.retain:
        extra["retain"] = RetentionPairs(sampler.with_decoding(temperature=1.0), options.retain)
    return extra


@dataclass(frozen=True)
class CounterPairs:
    """At most `fraction` counter-pairs for each pair.

    Some answers are wrong, so 1.5 times as many are asked for, again until there are enough. Where all prompts of the
    run say that they are in one language, so are the questions.
    """

    rules: CorrectionRules
    fraction: float

    def settings(self) -> float:
        return self.fraction

    def __call__(self, pairs: int, some: Sequence[Pair], builder: Builder) -> list[Pair]:
        count, made = round(self.fraction * pairs), list[Pair]()
        job, known = builder.job, {"en", "zh"}
        said = {str(row.columns.get("lang")) for row in job.prompts if isinstance(row, Prompt)}
        left = counter_pair_makers(self.rules, job.contexts, sorted(said if said <= known else known))
        if any(question.prompt.system for question in left) and not job.sampler.takes_system():
            left = [question for question in left if question.prompt.system is None]
        elsewhere = cycle([pair.chosen[-1]["content"] for pair in some])
        while left and len(made) < count:
            more = max(3 * (count - len(made)) // 2, _ROUND)
            asked, left = left[:more], left[more:]
            answers = builder.ask([question.prompt for question in asked], kind="counter")
            found = (one.pair(answers[one.prompt.id], job.sampler.model, next(elsewhere)) for one in asked)
            made += [item for item in found if item]
        return made[:count]


@dataclass(frozen=True)
class RetentionPairs:
    """At most `fraction` for each pair: the best against the worst of `n` answers to a bundled general prompt.

    They keep what the model says of other things. About half of the prompts give a pair, so they are asked in rounds
    until there are enough, each in the next of the contexts.
    """

    sampler: Sampler
    fraction: float
    n: int = 4

    def settings(self) -> dict[str, Any]:
        return {"fraction": self.fraction, "n": self.n, "sampling": self.sampler.settings()}

    def __call__(self, pairs: int, some: Sequence[Pair], builder: Builder) -> list[Pair]:
        count, made = round(self.fraction * pairs), list[Pair]()
        judge = ReferenceJudge()
        general = sorted(bundled("general.train"), key=lambda prompt: digest(prompt.id))
        left = [
            prompt.in_context(context) for prompt, context in zip(general, cycle(builder.job.contexts), strict=False)
        ]
        while left and len(made) < count:
            round_ = 2 * (count - len(made)) + 8
            asked, left = left[:round_], left[round_:]
            answers = builder.ask(asked, self.n, kind="retain", sampler=self.sampler)
            results = builder.score(asked, answers, judge)
            outcome = pair(asked, results, BestWorstPairer(judge.name), self.sampler.model)
            made += [item for _, item in outcome if isinstance(item, Pair)]
        return made[:count]
