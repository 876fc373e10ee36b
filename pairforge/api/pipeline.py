"""The pipeline that correct and onpolicy share: prompts, answers, scores, pairs, kept as a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from .. import diagnostics
from ..console import note
from ..errors import InputError
from ..jury import Jury, judges_of
from ..options.common import BuildOptions, ExecutorOptions, PromptColumns, PromptOptions, RunOptions
from ..options.declaration import GIVEN_IN_PYTHON, as_tuple, words_of
from ..options.viewing import AnnotationOptions
from ..pairers import up_to_sentence
from ..prompts import BUNDLED, each_prompt
from ..readers import is_given
from ..readers.spool import RowSpool, batched, spooled
from ..run import RETRYABLE, KeptPrompts, Run, check_run_name, latest, out_dir
from ..samplers.replay import ReplaySampler, StoredSampler
from ..stages import Outcome, Scored, decided, judge_groups, score
from ..stopping import Budget
from ..store import Store
from ..text import one_line, visible
from ..types import Answer, AnswerGroup, Answers, Judge, Key, Pair, Pairer, Prompt, Sampler, Skip, digest_of_all
from .build_result import BuildResult, TaskResult
from .finishing import PairFinisher
from .inputs import find_run
from .models import NO_SYSTEM_ROLE, AnswerCount, answer, open_budget
from .run_parts import RunPart, fitted, without_hard
from .sharded import RunAnswers, ShardedAnswers, ToDo

if TYPE_CHECKING:
    from ..correction.renaming import NameCounts
    from .difficulty import HardPairs


Prompts: TypeAlias = "Sequence[Prompt | Skip] | RowSpool | KeptPrompts"


def load_prompts(options: PromptOptions, source: Any, fill: Mapping[str, str] | None = None) -> Prompts:
    """Read the first `limit` prompts of a file or bundled set, or of prompts given in Python; see `read_prompts`."""
    if isinstance(source, str) and not os.path.lexists(source) and source not in BUNDLED:
        run = find_run(source, getattr(options, "output", None))
        source = run / "pairs.jsonl" if run else source
    columns = parse_columns(options.columns)
    return spooled(each_prompt(source, columns=columns, history=options.history, limit=options.limit, fill=fill))


def prepare(options: BuildOptions, source: Any, fill: Mapping[str, str] | None = None) -> tuple[Prompts, Budget]:
    """Return the prompts and the budget, after all that can be known to be wrong before a model is opened."""
    out_dir(options.output)
    if options.name is not None:
        check_run_name(options.name)
    budget = open_budget(options)
    return load_prompts(options, source, fill), budget


def source_name(prompts: Any) -> str:
    """Return what a run keeps as the source of its prompts: prompts given in Python have no name."""
    return GIVEN_IN_PYTHON if is_given(prompts) else str(prompts)


def in_contexts(prompts: Iterable[Prompt | Skip], contexts: Sequence[str | None]) -> Iterator[Prompt | Skip]:
    """Yield every prompt in every context; a Skip as it is."""
    for prompt in prompts:
        yield from (prompt if isinstance(prompt, Skip) else prompt.in_context(context) for context in contexts)


def parse_columns(given: PromptColumns) -> dict[str, str]:
    """Return the column of each part of a prompt that is named. Raises InputError for a text that names none."""
    return named_values(given, "--columns", "prompt=my_question", "NAME=COLUMN")


def named_values(given: PromptColumns, option: str, example: str, form: str = "NAME=TEXT") -> dict[str, str]:
    """Return the values of an option that is given as a mapping or as texts `name=value`. Raises InputError."""
    if isinstance(given, Mapping):
        return dict(given)
    parts = [text.partition("=") for text in as_tuple(given)]
    if wrong := next(("".join(part) for part in parts if not (part[0].strip() and part[2].strip())), None):
        name, _, value = example.partition("=")
        fix = f"write {option} {name}={wrong.strip('= ') or value}"
        raise InputError(f"{option} {wrong!r} must be {form}", fix=fix)
    return {name.strip(): value.strip() for name, _, value in parts}


CHUNK = 4096
"""Prompts that are asked, judged and paired together; no more of a run is in memory."""


@dataclass(frozen=True)
class Builder:
    """Asks and judges for one run, through the store and within the budget.

    `retryable` counts the prompts whose answers failed in a way that another run may resolve, by kind: "" for the
    prompts of the run, else "revise", "counter" or "retain". `counts` are of all answers that were asked for, by label.
    `skips` say of which answers it is known why there is none.
    """

    job: BuildJob
    store: Store
    quiet: bool
    retryable: Counter[str] = field(default_factory=Counter)
    counts: dict[str, AnswerCount] = field(default_factory=dict)
    skips: dict[Key, Skip] | None = None

    def ask(
        self, prompts: Sequence[Prompt], n: int = 1, *, kind: str = "", sampler: Sampler | None = None, first: int = 0
    ) -> Answers:
        """Return n answers to each prompt, with the job's sampler or another; those before `first` were asked for."""
        sampler = sampler or self.job.sampler
        label = f"{self.job.command}: {kind}" if kind else self.job.label
        total = 0 if kind or self.job.adaptive is True else len(self.job.prompts) * len(self.job.contexts) * n
        count = self.counts.setdefault(label, AnswerCount(total if total > n * CHUNK else 0))
        failed = None if kind else self.skips
        answers = answer(prompts, sampler, n, self.store, label, self.quiet, self.job.budget, first, count, failed)
        if self.job.whole_sentences and kind != "judge":
            answers = {
                name: found if isinstance(found, Skip) else [*map(up_to_sentence, found)]
                for name, found in answers.items()
            }
        self.retryable[kind] += sum(isinstance(item, Skip) and item.reason in RETRYABLE for item in answers.values())
        return answers

    def say_counts(self) -> None:
        """Say how many answers were in the store, and how many were asked for."""
        for label, count in self.counts.items():
            count.say(label, self.quiet)

    def score(self, prompts: Sequence[Prompt], answers: Answers, judge: Judge) -> dict[str, Scored | Skip]:
        """Score each answer."""
        return score(prompts, answers, judge, self.store, self.ask_judge)

    def scores(self, prompts: Sequence[Prompt], answers: Answers) -> Sequence[Mapping[str, Scored | Skip]]:
        """Score each answer by each judge of the job."""
        if isinstance(judge := self.job.judge, Jury):
            return judge.score(prompts, answers, self.store, self.ask_judge).of_judges
        return [self.score(prompts, answers, judge)] if judge else []

    def ask_judge(self, prompts: Sequence[Prompt], sampler: Sampler) -> Answers:
        """Ask a judge's model."""
        return self.ask(prompts, kind="judge", sampler=sampler)

    def confirmed(self, results: Outcome, judge: Judge) -> Outcome:
        """Return the results, with a Skip for each pair of which the judge does not find the chosen answer better."""
        groups = [
            AnswerGroup(prompt, [pair.chosen[-1]["content"], pair.rejected[-1]["content"]])
            for prompt, pair in results
            if prompt and isinstance(pair, Pair)
        ]
        scores = iter(zip(groups, judge_groups(groups, judge, self.store, self.ask_judge), strict=True))
        return decided(results, [_confirmed(item, *next(scores)) for _, item in results if isinstance(item, Pair)])

    def knows(self, prompts: Iterable[Prompt]) -> bool:
        """Return True if the store has every answer."""
        settings = self.job.sampler.settings()
        for ids in batched((prompt.id for prompt in prompts), CHUNK):
            known = self.store.answers(settings, ids)
            if not all((name, index) in known for name in ids for index in range(self.job.n)):
                return False
        return True


def _confirmed(pair: Pair, group: AnswerGroup, scores: Mapping[str, float | Skip]) -> Pair | Skip:
    chosen, rejected = (scores[text] for text in group.answers)
    if isinstance(chosen, Skip) or isinstance(rejected, Skip):
        return chosen if isinstance(chosen, Skip) else rejected  # type: ignore[return-value]
    return pair if chosen - rejected == 1 else Skip("tie", "the model that confirms does not agree in both orders")


class ExtraPairs(Protocol):
    """Makes pairs in addition to those of the prompts."""

    def settings(self) -> Any:
        """Return all that they depend on besides the pairs."""

    def __call__(self, pairs: int, some: Sequence[Pair], builder: Builder) -> list[Pair]:
        """Make them, given the number of pairs of the prompts, and the first of these."""


@dataclass(frozen=True)
class BuildJob:
    """The inputs of a run.

    Args:
        source: Where the prompts come from; `prompts` holds one entry for each of its rows.
        contexts: The system messages to ask under, None for none.
        refine: Returns the final pairer of some prompts, after asking for the further answers that it needs.
        extras: Make added pairs, by kind, which are counted apart.
        names: Returns what counts the names that were replaced.
        notes: Returns warnings that are shown before anything is asked.
        confirm: A groupwise judge that has to find the chosen answer of each pair better, too.
        adaptive: Ask for two answers first, and for more only where these make no pair; "stored": of a run that did so,
            the answers that are there.
        drop_hard: Says which pairs are too hard to be kept.
        measured: What was measured of the judges, where that is known.
        check: Raises where the run can't succeed; called before a model is loaded, unless the run is there already.
        keeps: Returns whether a thought may be trained on; where one of a pair may not, both are left out.
        by_default: Nobody asked for these contexts: those that the chat template can't hold are left out.
        whole_sentences: An answer that is cut off is taken up to its last whole sentence.
        open_judge: Opens the judge in another process; None for one that is a live object, or people.
    """

    command: str
    sampler: Sampler
    budget: Budget
    pairer: Pairer
    source: str
    prompts: Prompts
    contexts: Sequence[str | None]
    n: int = 1
    judge: Judge | Jury | None = None
    refine: Callable[[Sequence[Prompt], Answers, Builder], Pairer] | None = None
    extras: Mapping[str, ExtraPairs] = field(default_factory=dict)
    names: Callable[[], NameCounts] | None = None
    notes: Callable[[], Iterable[str]] = tuple
    check: Callable[[], None] | None = None
    confirm: Judge | None = None
    adaptive: bool | Literal["stored"] = False
    drop_hard: HardPairs | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    keeps: Callable[[str], bool] = bool
    by_default: bool = False
    whole_sentences: bool = False
    open_judge: Callable[[], Judge | Jury] | None = None

    @property
    def label(self) -> str:
        """What is shown before the progress of its answers."""
        return f"{self.command}: {self.sampler.model}"

    def asked(self) -> Iterator[Prompt | Skip]:
        """Yield every prompt in every context."""
        return in_contexts(self.prompts, self.contexts)

    @cached_property
    def _digest(self) -> str:
        """The digest of the prompts with their columns."""
        return digest_of_all(
            row.detail if isinstance(row, Skip) else [row.messages, row.columns] for row in self.prompts
        )

    @property
    def rounds(self) -> list[int]:
        """The numbers of answers that are asked for, one after the other: n, or 2, 4, 8 ... n."""
        return [*(2**power for power in range(1, (self.n - 1).bit_length()) if self.adaptive is True), self.n]

    def settings(self) -> dict[str, Any]:
        """Return all that the pairs depend on: the name of the run is a hash of it."""
        named = {"revision": self.sampler.revision, "chat_template": self.sampler.chat_template}
        return {
            "model": self.sampler.model,
            **{name: value for name, value in named.items() if value},
            "sampling": self.sampler.settings(),
            "n": self.n,
            "contexts": list(self.contexts),
            "prompts": {"source": self.source, "rows": len(self.prompts), "digest": self._digest},
            **({"judge": self.judge.settings()} if self.judge else {}),
            **({"confirm": self.confirm.settings()} if self.confirm else {}),
            **({"adaptive": self.adaptive} if self.adaptive else {}),
            **({"drop_hard": self.drop_hard.settings()} if self.drop_hard else {}),
            **({"whole_sentences": True} if self.whole_sentences else {}),
            **{kind: extra.settings() for kind, extra in self.extras.items()},
            **self.pairer.settings(),
        }


_NO_PART = (
    *("output", "quiet", "fresh", "name"),
    *(one.name for kind in (ExecutorOptions, AnnotationOptions) for one in fields(kind)),
)
"""The options on which no pairs depend."""


def build(job: BuildJob, options: RunOptions, fresh: bool = False) -> BuildResult:
    """Make the run of a job, or find it made."""
    out, quiet = out_dir(options.output), options.quiet
    if getattr(job.pairer, "pick", "") == "confident" and not isinstance(job.judge, Jury):
        raise InputError("--pick confident needs several judges", fix="add another --judge, or leave --pick out")
    run = Run.of(out, job.command, job.settings())
    run.argv = ("pairforge", job.command, *words_of(options, _NO_PART))
    sharded = ShardedAnswers.of(options)
    if sharded and sharded.is_task:
        if job.by_default and any(job.contexts) and not job.sampler.takes_system():
            job = replace(job, contexts=[None])
        with sharded.planned(_to_do(job)) as shards:
            return TaskResult(run, job.budget.max_failures, *shards.run(run, job.budget, job.label, quiet))
    new = not run.path.exists()
    if options.name is not None:
        run.check_name(options.name)
    if job.check and not (run.complete and not fresh):
        job.check()
    with run.lock() as died, closing(Store(out, fresh)) as store:
        if died and not quiet:
            note(f"going on after {died}, which was killed or ran out of memory")
        if new and not quiet and (other := latest(out, job.command)):
            note(f"a new run: it differs from {other.path.name} in {differences(run, other)}")
        if run.complete and not fresh:
            os.utime(run.path / "run.json")  # now it is the latest
        else:
            if not run.prompts.exists():
                run.keep_prompts(job.prompts)
            _fill(run, Builder(job, store, quiet), sharded)
        if options.name is not None:
            run.give_name(options.name)
    return BuildResult(run, job.budget.max_failures)


_NAMED = {"model": "model", "n": "n", "sampling.temperature": "temperature", "judge.judge": "judge"}


def differences(run: Run, other: Run) -> str:
    """Return what is set otherwise than in another run, in a few words: `names, n 4, model ORG/MODEL`."""
    old, new = other.flat(), run.flat()
    said = dict[str, None]()
    for key in {**new, **old}:
        if old.get(key) == new.get(key):
            continue
        group, value = key.partition(".")[0], new.get(key)
        known = {"rules": "names", "prompts": "prompts", "contexts": "system messages", "sampling": "sampling"}
        text = f"{_NAMED[key]} {value}" if key in _NAMED and value is not None else known.get(group, group)
        said[one_line(text.replace("_", " ") if key not in _NAMED else text, 60)] = None
    # "judge loud.py:late" says all that "judge" does.
    most = [text for text in said if not any(one.startswith(f"{text} ") for one in said)][:6]
    return " and ".join(filter(None, [", ".join(most[:-1]), *most[-1:]]))


_OPEN = ("tie", "below_margin", "identical", "length_gap", "one_answer", "cut_off", "empty")
"""The reasons of skips that more answers may resolve."""


def _parts(builder: Builder) -> Iterator[RunPart]:
    """Yield the run part by part, so that no more of it is in memory."""
    for number, asked in enumerate(batched(builder.job.asked(), CHUNK)):
        ids = (prompt.id for prompt in asked if isinstance(prompt, Prompt))
        before = builder.store.seen_before(ids, new=not number)
        yield _in_rounds(builder, asked, before)


def _in_rounds(builder: Builder, asked: Sequence[Prompt | Skip], before: Container[str]) -> RunPart:
    """Return the answers, scores and pairs of some prompts.

    In each round of an adaptive run, only prompts that have no pair yet are asked for more answers.
    """
    job, answers, first, saved = builder.job, dict[str, list[Answer] | Skip](), 0, 0
    real = [prompt for prompt in asked if isinstance(prompt, Prompt) and prompt.id not in before]
    open_ = real
    for n in job.rounds:
        answers |= builder.ask(open_, n, first=first)
        pairer = job.refine(real, answers, builder) if job.refine else job.pairer
        judged = RunPart(asked, before, answers, builder.scores(real, answers)).paired(
            job.judge, pairer, job.sampler.model
        )
        answered = {prompt.id for prompt in open_ if not isinstance(answers[prompt.id], Skip)}
        unpaired = ((prompt, item.reason) for prompt, item in judged.outcome if isinstance(item, Skip))
        open_ = [prompt for prompt, reason in unpaired if prompt and reason in _OPEN]
        saved, first = saved + (job.n - n) * (len(answered) - len(open_)), n
        if not open_:
            break
    return replace(judged, saved=saved)


def _decided_parts(builder: Builder) -> Iterator[RunPart]:
    """Yield the parts of the run with the pairs that are kept."""
    job = builder.job
    parts = fitted(job.judge, job.pairer, job.sampler.model, _parts(builder))
    if confirm := job.confirm:
        parts = (replace(part, outcome=builder.confirmed(part.outcome, confirm)) for part in parts)
    return without_hard(job.drop_hard, parts) if job.drop_hard else parts


def _may_be_asked(builder: Builder) -> Builder:
    """Return the builder without the contexts that the chat template can't hold, and say what should be known first."""
    job = builder.job
    may_refuse = job.by_default and any(job.contexts)
    known = not may_refuse and builder.quiet  # nothing depends on it then
    known = known or builder.knows(prompt for prompt in job.asked() if isinstance(prompt, Prompt))
    if not known and may_refuse and not job.sampler.takes_system():  # with all answers stored, no model is needed
        job = replace(job, contexts=[None])
        builder = replace(builder, job=job)
        if not builder.quiet:
            note(f"{NO_SYSTEM_ROLE.format(visible(job.sampler.model))}: asked without one only")
    if not builder.quiet and not known:
        for line in job.notes():
            note(f"warning: {line}")
    return builder


def _to_do(job: BuildJob) -> ToDo:
    """Return what is done in the shards of a run."""
    stored = isinstance(job.sampler, StoredSampler)
    sampler = RunAnswers(job.sampler.settings(), job.sampler.model) if stored else job.sampler
    return ToDo(job.asked(), sampler, job.rounds[0], job.judge, job.open_judge)


def _fill(run: Run, builder: Builder, sharded: ShardedAnswers | None = None) -> None:
    builder = _may_be_asked(builder)
    job = builder.job
    if sharded:
        with sharded.planned(_to_do(job), builder.store) as shards:
            shards.run(run, job.budget, job.label, builder.quiet)
            builder = replace(builder, skips=shards.gather(run, builder.store))
    finish, names = PairFinisher(job.sampler, job.keeps), job.names() if job.names else None
    authors = job.sampler.authors() if isinstance(job.sampler, ReplaySampler) else {}
    asked_with: dict[str, Any] = {}
    skips, found = Counter[str](), dict[str, Any]()
    pairs = paired = saved = 0
    first: list[Pair] = []
    with run.writing() as (write_pair, write_skip):
        for part in _decided_parts(builder):
            asked_with = asked_with or job.sampler.settings()
            made = list[Pair]()
            for prompt, item in part.outcome:
                stored = finish(item) if isinstance(item, Pair) else item
                if isinstance(stored, Pair):
                    write_pair(stored.row())
                    made.append(stored)
                else:
                    write_skip(_skip_row(prompt, stored))
                    skips[stored.reason] += 1
                if names:
                    names.add(item if isinstance(stored, Pair) else stored)
            pairs, saved = pairs + len(made), saved + part.saved
            first += made[: CHUNK - len(first)] if job.extras else []
            paired += len({item.prompt_id for item in made})
            found = diagnostics.joined(found, diagnostics.diagnose_part(part.answers, part.results, made))
            if job.judge and not job.measured:
                found = diagnostics.joined(found, _measured(builder, part, authors))
        extra = Counter[str](dict.fromkeys(job.extras, 0))
        for kind, make in job.extras.items():
            for stored in map(finish, make(pairs, first, builder)):
                if isinstance(stored, Pair):
                    write_pair(stored.row())
                    extra[kind] += 1
    builder.say_counts()
    if asked_with and asked_with != job.sampler.settings():  # a server refused one of them late: all is asked as now
        _fill(run, Builder(job, builder.store, builder.quiet))
        return
    counts: dict[str, Any] = {
        "prompts": len(job.prompts),
        "contexts": len(job.contexts),
        "pairs": pairs,
        **({"paired": paired} if paired < pairs else {}),
        "skips": dict(sorted(skips.items())),
        **({"diagnostics": {**diagnostics.finished(found), **job.measured}} if job.judge else {}),
        **(names.counts() if names else {}),
        **({"thoughts": finish.thoughts} if finish.thoughts else {}),
        **extra,
        **{name: run.counts[name] for name in ("exams",) if name in run.counts},
    }
    if job.judge and job.adaptive is True:
        counts["diagnostics"]["saved"] = saved
    unfinished = {kind: builder.retryable[kind] for kind in extra if builder.retryable[kind]}
    run.settings = job.settings()  # a server may have refused a part of those that name the run
    run.conclude(counts | ({"unfinished": unfinished} if unfinished else {}))


def _measured(builder: Builder, part: RunPart, authors: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return what a part of the run shows of the judges."""
    judges = judges_of(builder.job.judge)
    prompts = (prompt for prompt in part.asked if isinstance(prompt, Prompt) and prompt.id in part.answers)
    of_judges = [*zip(judges, part.of_judges, strict=True)]
    return diagnostics.measure(of_judges, prompts, part.answers, builder.store, authors)


def _skip_row(prompt: Prompt | None, skip: Skip) -> dict[str, Any]:
    said = {"prompt_id": prompt.id if prompt else "", "reason": skip.reason, "detail": skip.detail}
    return said | {"prompt": list(prompt.messages) if prompt else []}
