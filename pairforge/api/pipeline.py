"""The pipeline that correct and onpolicy share: prompts, answers, scores, pairs, kept as a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .. import diagnostics
from ..console import HtmlRepr, note, outcome, table
from ..errors import InputError
from ..formats import read_rows, to_dataset
from ..jury import Jury
from ..options.common import BuildOptions, PromptColumns, PromptOptions, RunOptions
from ..options.declaration import GIVEN_IN_PYTHON, part_of, words_of
from ..options.viewing import AnnotationOptions
from ..pair_view import PairView
from ..prompts import BUNDLED, read_prompts
from ..readers import is_given
from ..run import RETRYABLE, Run, check_run_name, latest, out_dir
from ..stages import Outcome, Scored, decided, judge_groups, pair, score
from ..stopping import Budget
from ..store import Store
from ..text import one_line, plural, visible
from ..types import Answer, AnswerGroup, Judge, Pair, Pairer, Prompt, Sampler, Skip, digest
from .finishing import PairFinisher, thought_lines
from .inputs import find_run
from .models import NO_SYSTEM_ROLE, answer, as_tuple
from .skip_report import SkipReport

if TYPE_CHECKING:
    from datasets import Dataset

    from .hard_pairs import HardPairs


@dataclass(repr=False)
class BuildResult(HtmlRepr):
    """The result of correct or onpolicy: the run folder, its counts, and the pairs on demand."""

    run: Run
    max_failures: int | None = None
    exit_code = 3  # where not ok

    @property
    def counts(self) -> dict[str, Any]:
        """`{"prompts", "contexts", "pairs", "skips": {reason: n}}`; pairs + skips = prompts x contexts.

        Where prompts have several pairs, `paired` is the number of prompts with pairs: paired + skips = prompts x
        contexts.
        Commands add other keys: `rules` and `leftovers` (names replaced, names left as they are), `thoughts` (what
        became of them), and `counter` and `retain`, pairs in the same file that are counted apart; `unfinished` is the
        number of their questions that are open.
        """
        return self.run.counts

    @property
    def ok(self) -> bool:
        """There are pairs, no budget ran out, and at most a tenth of the prompts (or `max_failures`) failed."""
        counts, skips = self.counts, self.counts["skips"]
        tenth = 0.1 * counts["prompts"] * counts["contexts"]
        few = self.run.failed <= (tenth if self.max_failures is None else self.max_failures)
        return bool(counts["pairs"] and few and not skips.get("not_asked") and not counts.get("unfinished"))

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Return the pairs as plain dicts."""
        return read_rows(self.run.pairs)

    def dataset(self) -> Dataset:
        """Return the pairs as a `datasets.Dataset` with explicit features."""
        return to_dataset(self.rows())

    def to_pandas(self) -> Any:
        """Return the pairs as a `pandas.DataFrame`, a row for each pair."""
        import pandas

        return pandas.DataFrame([*self.rows()])

    def __repr__(self) -> str:
        skips = sum(self.counts["skips"].values())
        pairs = plural(self.counts["pairs"], "pair")
        return f"{type(self).__name__}({pairs}, {plural(skips, 'skip')}, {self.run.path})"

    def as_json(self) -> dict[str, Any]:
        run = self.run
        said = {"command": run.command, "ok": self.ok, "run": str(run.path), "output": str(run.pairs)}
        return said | {"counts": self.counts}

    @property
    def brief(self) -> str:
        """The path of the pairs."""
        return visible(str(self.run.pairs))

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        counts = self.counts
        rows = [("pairs", str(counts["pairs"]))]
        rows += [(reason.replace("_", " "), str(n)) for reason, n in counts["skips"].items()]
        rows += [(f"{kind}, apart", str(counts[kind])) for kind in ("counter", "retain") if kind in counts]
        asked = f"{plural(counts['prompts'], 'prompt')} x {plural(counts['contexts'], 'context')}"
        yield table("", (asked, "answers"), rows)
        yield ""
        for number, row in islice(enumerate(self.rows()), 3):
            yield PairView(row, number)
            yield ""
        yield outcome(counts)
        for label, name in (("names replaced", "rules"), ("left as they are", "leftovers")):
            counted = [f"{visible(word)} {count}" for word, count in counts.get(name, {}).items()]
            more = f" and {len(counted) - 8} more" if len(counted) > 8 else ""
            if counted:  # `names replaced: QWEN 12, Ｑｗｅｎ 3, in URLs 5`
                yield f"{label}: {', '.join(counted[:8])}{more}"
        yield from thought_lines(self.run)
        if found := counts.get("diagnostics"):
            yield from diagnostics.lines(found, self.run.settings["n"])
        yield f"{self.run.pairs}"
        report = SkipReport(self.run)
        yield from report.lines()
        if self.ok:
            yield from report.names()
            yield "next: pairforge validate · pairforge shortcuts · pairforge train dpo · pairforge push"
        elif counts["skips"].get("not_asked") or counts.get("unfinished"):
            yield "stopped before the end: what was made is whole; the same command goes on"
        else:
            yield from report.conclusion()


def load_prompts(options: PromptOptions, source: Any, fill: Mapping[str, str] | None = None) -> list[Prompt | Skip]:
    """Read the first `limit` prompts of a file or bundled set, or of prompts given in Python; see `read_prompts`."""
    if isinstance(source, str) and not os.path.lexists(source) and source not in BUNDLED:
        run = find_run(source, getattr(options, "output", None))
        source = run / "pairs.jsonl" if run else source
    columns = parse_columns(options.columns)
    return read_prompts(source, columns=columns, history=options.history, limit=options.limit, fill=fill)


def prepare(
    options: BuildOptions, source: Any, fill: Mapping[str, str] | None = None
) -> tuple[list[Prompt | Skip], Budget]:
    """Return the prompts and the budget, after all that can be known to be wrong before a model is opened."""
    out_dir(options.output)
    if options.name is not None:
        check_run_name(options.name)
    budget = part_of(options, Budget)
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


Answers = Mapping[str, list[Answer] | Skip]
"""By prompt id."""


@dataclass(frozen=True)
class Builder:
    """Asks and judges for one run, through the store and within the budget.

    `retryable` counts the prompts whose answers failed in a way that another run may resolve, by kind: "" for the
    prompts of the run, else "revise", "counter" or "retain".
    """

    job: BuildJob
    store: Store
    quiet: bool
    retryable: Counter[str] = field(default_factory=Counter)

    def ask(
        self, prompts: Sequence[Prompt], n: int = 1, *, kind: str = "", sampler: Sampler | None = None, first: int = 0
    ) -> Answers:
        """Return n answers to each prompt, with the job's sampler or another; those before `first` were asked for."""
        sampler = sampler or self.job.sampler
        label = f"{self.job.command}: {kind or sampler.model}"
        answers = answer(prompts, sampler, n, self.store, label, self.quiet, self.job.budget, first)
        self.retryable[kind] += sum(isinstance(item, Skip) and item.reason in RETRYABLE for item in answers.values())
        return answers

    def score(self, prompts: Sequence[Prompt], answers: Answers, judge: Judge) -> dict[str, Scored | Skip]:
        """Score each answer."""
        return score(prompts, answers, judge, self.store, self.ask_judge)

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
        known = self.store.answers(self.job.sampler.settings())
        return all((prompt.id, index) in known for prompt in prompts for index in range(self.job.n))


def _confirmed(pair: Pair, group: AnswerGroup, scores: Mapping[str, float | Skip]) -> Pair | Skip:
    chosen, rejected = (scores[text] for text in group.answers)
    if isinstance(chosen, Skip) or isinstance(rejected, Skip):
        return chosen if isinstance(chosen, Skip) else rejected  # type: ignore[return-value]
    return pair if chosen - rejected == 1 else Skip("tie", "the model that confirms does not agree in both orders")


class ExtraPairs(Protocol):
    """Makes pairs in addition to those of the prompts."""

    def settings(self) -> Any:
        """Return all that they depend on besides the pairs."""

    def __call__(self, pairs: Sequence[Pair], builder: Builder) -> list[Pair]:
        """Make them, given the pairs of the prompts."""


@dataclass(frozen=True)
class BuildJob:
    """The inputs of a run.

    Args:
        source: Where the prompts come from; `prompts` holds one entry for each of its rows.
        contexts: The system messages to ask under, None for none.
        refine: Returns the final pairer, after asking for the further answers that it needs.
        extras: Make added pairs, by kind, which are counted apart.
        account: Returns more counts.
        notes: Returns warnings that are shown before anything is asked.
        confirm: A groupwise judge that has to find the chosen answer of each pair better, too.
        adaptive: Ask for two answers first, and for more only where these make no pair; "stored": of a run that did so,
            the answers that are there.
        drop_hard: Says which pairs are too hard to be kept.
        check: Raises where the run can't succeed; called before a model is loaded, unless the run is there already.
        keeps: Returns whether a thought may be trained on; where one of a pair may not, both are left out.
        by_default: Nobody asked for these contexts: those that the chat template can't hold are left out.
    """

    command: str
    sampler: Sampler
    budget: Budget
    pairer: Pairer
    source: str
    prompts: Sequence[Prompt | Skip]
    contexts: Sequence[str | None]
    n: int = 1
    judge: Judge | Jury | None = None
    refine: Callable[[Answers, Builder], Pairer] | None = None
    extras: Mapping[str, ExtraPairs] = field(default_factory=dict)
    account: Callable[[Sequence[Pair], Sequence[Skip]], Mapping[str, Any]] | None = None
    notes: Callable[[], Iterable[str]] = tuple
    check: Callable[[], None] | None = None
    confirm: Judge | None = None
    adaptive: bool | Literal["stored"] = False
    drop_hard: HardPairs | None = None
    keeps: Callable[[str], bool] = bool
    by_default: bool = False

    @cached_property
    def asked(self) -> list[Prompt | Skip]:
        """Every prompt in every context."""
        return list(in_contexts(self.prompts, self.contexts))

    @property
    def rounds(self) -> list[int]:
        """The numbers of answers that are asked for, one after the other: n, or 2, 4, 8 ... n."""
        return [*(2**power for power in range(1, (self.n - 1).bit_length()) if self.adaptive is True), self.n]

    def settings(self) -> dict[str, Any]:
        """Return all that the pairs depend on: the name of the run is a hash of it."""
        rows = [row.detail if isinstance(row, Skip) else [row.messages, row.columns] for row in self.prompts]
        named = {"revision": self.sampler.revision, "chat_template": self.sampler.chat_template}
        return {
            "model": self.sampler.model,
            **{name: value for name, value in named.items() if value},
            "sampling": self.sampler.settings(),
            "n": self.n,
            "contexts": list(self.contexts),
            "prompts": {"source": self.source, "rows": len(rows), "digest": digest(rows)},
            **({"judge": self.judge.settings()} if self.judge else {}),
            **({"confirm": self.confirm.settings()} if self.confirm else {}),
            **({"adaptive": self.adaptive} if self.adaptive else {}),
            **({"drop_hard": self.drop_hard.settings()} if self.drop_hard else {}),
            **{kind: extra.settings() for kind, extra in self.extras.items()},
            **self.pairer.settings(),
        }


def build(job: BuildJob, options: RunOptions, fresh: bool = False) -> BuildResult:
    """Make the run of a job, or find it made."""
    out, quiet = out_dir(options.output), options.quiet
    run = Run.of(out, job.command, job.settings())
    run.argv = ("pairforge", job.command, *words_of(options, _NO_PART))
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
            _fill(run, Builder(job, store, quiet))
        if options.name is not None:
            run.give_name(options.name)
    return BuildResult(run, job.budget.max_failures)


_NO_PART = ("output", "quiet", "fresh", "name", *(one.name for one in fields(AnnotationOptions)))
"""The options on which no pairs depend."""
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


def _paired(builder: Builder) -> tuple[Answers, dict[str, Scored | Skip], Outcome, dict[str, int]]:
    """Return answers, scores and pairs; and for an adaptive run, how many answers were not needed.

    In each round, only prompts that have no pair yet are asked for more answers.
    """
    job, asked = builder.job, builder.job.asked
    real = [prompt for prompt in asked if isinstance(prompt, Prompt)]
    answers, open_, first, saved = dict[str, list[Answer] | Skip](), real, 0, 0
    for n in job.rounds:
        answers |= builder.ask(open_, n, first=first)
        results, outcome = _judged(builder, answers)
        answered = {prompt.id for prompt in open_ if not isinstance(answers[prompt.id], Skip)}
        open_ = [prompt for prompt, item in outcome if prompt and isinstance(item, Skip) and item.reason in _OPEN]
        saved, first = saved + (job.n - n) * (len(answered) - len(open_)), n
        if not open_:
            break
    return answers, results, outcome, {"saved": saved} if job.adaptive is True else {}


def _judged(builder: Builder, answers: Answers) -> tuple[dict[str, Scored | Skip], Outcome]:
    """Return the scores of the answers, if there is a judge, and the pairs."""
    job, asked = builder.job, builder.job.asked
    real = [prompt for prompt in asked if isinstance(prompt, Prompt)]
    pairer = job.refine(answers, builder) if job.refine else job.pairer
    if not job.judge:
        return {}, pair(asked, answers, pairer, job.sampler.model)
    if not isinstance(job.judge, Jury):
        results = builder.score(real, answers, job.judge)
        edits: Mapping[str, str] = job.judge.settings().get("edits", {})  # what people made of the best answers
        return results, _of_edits(pair(asked, _with_edits(results, edits), pairer, job.sampler.model), edits)
    ballots = job.judge.score(real, answers, builder.store, builder.ask_judge)
    results = ballots.combined()
    outcome = pair(asked, results, pairer, job.sampler.model)
    return results, [
        (prompt, replace(item, confidence=ballots.confidence(item)) if isinstance(item, Pair) else item)
        for prompt, item in outcome
    ]


def _with_edits(results: Mapping[str, Scored | Skip], edits: Mapping[str, str]) -> dict[str, Scored | Skip]:
    """Return the results with what a person made of the best answer as one more, scored 1 above it."""
    edited = dict(results)
    for name, text in edits.items():
        if not isinstance(result := results.get(name, Skip("")), Skip):
            edited[name] = [*result[0], Answer(text, "stop")], [*result[1], max(result[1]) + 1]
    return edited


def _of_edits(outcome: Outcome, edits: Mapping[str, str]) -> Outcome:
    """Return the outcome; a pair whose chosen answer was written by a person says so in its column `method`."""
    return [
        (prompt, replace(item, method="human_edit"))
        if isinstance(item, Pair) and edits.get(item.prompt_id) == item.chosen[-1]["content"]
        else (prompt, item)
        for prompt, item in outcome
    ]


def _fill(run: Run, builder: Builder) -> None:
    job = builder.job
    may_refuse = job.by_default and any(job.contexts)
    known = not may_refuse and builder.quiet  # nothing depends on it then
    known = known or builder.knows(prompt for prompt in job.asked if isinstance(prompt, Prompt))
    if not known and may_refuse and not job.sampler.takes_system():  # with all answers stored, no model is needed
        job = replace(job, contexts=[None])
        builder = replace(builder, job=job)
        if not builder.quiet:
            note(f"{NO_SYSTEM_ROLE.format(visible(job.sampler.model))}: asked without one only")
    if not builder.quiet and not known:
        for line in job.notes():
            note(f"warning: {line}")
    answers, results, results_by_prompt, saved = _paired(builder)
    if job.confirm:
        results_by_prompt = builder.confirmed(results_by_prompt, job.confirm)
    if job.drop_hard:
        made = [item for _, item in results_by_prompt if isinstance(item, Pair)]
        results_by_prompt = decided(results_by_prompt, job.drop_hard(made))
    finish = PairFinisher(job.sampler, job.keeps)
    before, pairs, skips = finish.all(results_by_prompt)
    skip_rows = (
        {"prompt_id": prompt.id if prompt else "", "reason": skip.reason, "detail": skip.detail}
        | {"prompt": list(prompt.messages) if prompt else []}
        for prompt, skip in skips
    )
    added = {kind: map(finish, make(pairs, builder)) for kind, make in job.extras.items()}
    extra = {kind: [item for item in made if isinstance(item, Pair)] for kind, made in added.items()}
    rows = [item.row() for item in (*pairs, *(item for made in extra.values() for item in made))]
    counts = {
        "prompts": len(job.prompts),
        "contexts": len(job.contexts),
        "pairs": len(pairs),
        **({"paired": paired} if (paired := len({item.prompt_id for item in pairs})) < len(pairs) else {}),
        "skips": dict(sorted(Counter(skip.reason for _, skip in skips).items())),
        **({"diagnostics": diagnostics.diagnose(answers, results, pairs) | saved} if job.judge else {}),
        **(job.account(before, [skip for _, skip in skips]) if job.account else {}),
        **({"thoughts": finish.thoughts} if finish.thoughts else {}),
        **{kind: len(made) for kind, made in extra.items()},
    }
    unfinished = {kind: builder.retryable[kind] for kind in extra if builder.retryable[kind]}
    run.settings = job.settings()  # a server may have refused a part of those that name the run
    run.finish(rows, skip_rows, counts | ({"unfinished": unfinished} if unfinished else {}))
