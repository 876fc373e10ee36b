"""Runs in shards: an executor fills them, and what they hold is put into the store, from which the pairs are made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..console import progress
from ..disk import write_atomic
from ..errors import InputError, OutsideError
from ..executors.local import ArrayExecutor, LocalExecutor
from ..jury import Jury, judges_of
from ..options.common import BuildOptions, ExecutorOptions, RunOptions
from ..options.declaration import part_of, refuse_idle
from ..plugins import load
from ..readers.spool import RowSpool
from ..run import Run, out_dir, without_refused
from ..shard_worker import ShardWorker
from ..shards import Executor, OpenWork, ScoreFiles, Shard, ShardFiles, cut, encoded
from ..stages import known_settings
from ..stopping import Budget, finish_batch_on_signal
from ..storage import open_storage
from ..store import Store
from ..text import did_you_mean, one_line
from ..types import Answer, Judge, Key, Prompt, Sampler, Skip
from .models import open_sampler

EXECUTORS = ("local", "array", "ray")
_USED_BY = {"array": ("part",), "ray": ("workers", "gpus", "address"), "NAME": ("shards", "shard_size")}
"""Executors with the options that only they use; NAME is any of them."""


class ToDo(NamedTuple):
    """What is done in the shards of a run: n answers to each prompt, and the scores that the judge gives them.

    `open_judge` opens the judge in another process.
    """

    prompts: Iterable[Prompt | Skip]
    sampler: Sampler
    n: int
    judge: Judge | Jury | None = None
    open_judge: Callable[[], Judge | Jury] | None = None


class RunAnswers(Sampler):
    """The answers of a run, by their settings: the driver puts them into shards to be judged, and none is asked for."""

    def __init__(self, of: Mapping[str, Any], model: str) -> None:
        self.of, self.model, self.warnings = of, model, list[str]()

    def settings(self) -> dict[str, Any]:
        return {"answers_of": self.of}

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        return iter(())


def open_worker(
    open_answers: Callable[[], Sampler],
    n: int,
    storage: str,
    open_judge: Callable[[], Judge | Jury] | None,
    settings: Mapping[str, Any],
) -> ShardWorker:
    """Open a worker wherever an executor runs it. Raises InputError where it would not do what these settings say."""
    worker = ShardWorker(open_answers(), n, open_storage(storage), judges_of(open_judge() if open_judge else None))
    if (own := _settings(worker)) != settings:
        names = ", ".join(name for name in {**settings, **own} if settings.get(name) != own.get(name))
        what = f"a worker finds another {worker.sampler.model} than this process: {one_line(names)}"
        raise InputError(what, fix="give all machines the same files, and the same pairforge")
    return worker


def _settings(worker: ShardWorker) -> dict[str, Any]:
    """Return all that what a worker makes depends on."""
    judges = [judge.settings() for judge in worker.judges]
    found: dict[str, Any] = without_refused({**worker.sampler.settings(), "judges": judges})
    return found


def open_executor(options: ExecutorOptions) -> Executor | None:
    """Return the executor that the options name, if they name one. Code that is named is run. Raises InputError."""
    name = options.executor
    for used_by, names in _USED_BY.items():
        if name != used_by and (used_by != "NAME" or name is None):
            refuse_idle(options, names, f"--executor {used_by}", f"use --executor {used_by}, or leave it out")
    if name is None or name == "local":
        return LocalExecutor() if name else None
    if name == "array":
        return ArrayExecutor.of(options.part) or LocalExecutor()
    if name == "ray":
        from ..executors.ray import RayExecutor

        return RayExecutor(options.workers, options.gpus, options.address)
    if ":" not in name:
        fix = did_you_mean(name, EXECUTORS) or f"use {', '.join(EXECUTORS)} or FILE.py:EXECUTOR"
        raise InputError(f"no executor is called '{one_line(name)}'", fix=fix)
    found = load(name)
    made: Executor = found() if isinstance(found, type) else found
    if not hasattr(made, "run"):
        raise InputError(f"{one_line(name)} has no method `run`", fix="see docs/scale.md")
    return made


def _has_all(store: Store, settings: Mapping[str, Any], shard: Shard, n: int) -> bool:
    known = store.answers(settings, (prompt.id for prompt in shard.prompts))
    return all((prompt.id, index) in known for prompt in shard.prompts for index in range(n))


@dataclass(frozen=True)
class ShardedAnswers:
    """Has the answers of a run made in shards, and their scores.

    Args:
        executor: runs the shards.
        storage: the path or URL where they are committed.
        shard_size: in prompts, on average.
        open_sampler: opens the sampler of the run in another process.
    """

    executor: Executor
    storage: str
    shard_size: int
    open_sampler: Callable[[], Sampler] | None

    @classmethod
    def of(cls, options: RunOptions) -> ShardedAnswers | None:
        """Return what the options of a run ask for; None where its answers are asked for in this process."""
        if not isinstance(options, ExecutorOptions) or (executor := open_executor(options)) is None:
            return None
        if getattr(options, "max_cost", None) is not None:
            raise InputError("--max-cost can't be counted with --executor", fix="limit the answers by --max-tokens")
        asks = part_of(options, BuildOptions) if isinstance(options, BuildOptions) else None
        if asks is None and isinstance(executor, ArrayExecutor):
            what = "an array can't judge the answers of a run: its tasks open no evidence.db"
            raise InputError(what, fix="use --executor ray, or name the judge when the run is made")
        storage = options.shards or str((out_dir(options.output) / "shards").absolute())
        return cls(executor, storage, options.shard_size, partial(open_sampler, asks, quiet=True) if asks else None)

    @property
    def is_here(self) -> bool:
        """Return whether the workers are in this process."""
        return isinstance(self.executor, ArrayExecutor | LocalExecutor)

    @property
    def is_task(self) -> bool:
        """Return whether this process is one of many that run shards, and makes no pairs."""
        return isinstance(self.executor, ArrayExecutor)

    @contextmanager
    def planned(self, todo: ToDo, store: Store | None = None) -> Iterator[ShardedRun]:
        """Yield the run in shards, whose plan is made once and kept on disk for as long as the context lasts."""
        with RowSpool(self._shards(todo, store)) as plan:
            yield ShardedRun(self, todo, plan, store)

    def _shards(self, todo: ToDo, store: Store | None) -> Iterator[Planned]:
        """Yield each shard, and whether the store has its answers, so that it is not to be run."""
        _, kinds = self.worker(todo, store)
        files, there = kinds[0], {*kinds[0].storage.list(kinds[0].folder)}
        for shard in cut(todo.prompts, self.shard_size):
            names = [kind.final(shard, todo.n) for kind in kinds]  # with their hashes, which are kept with the shard
            stored = False
            if store is not None and names[0] not in there:
                if isinstance(todo.sampler, RunAnswers):
                    known = store.answers(todo.sampler.of, (prompt.id for prompt in shard.prompts))
                    files.storage.put_new(names[0], encoded({key: known[key] for key in known if key[1] < todo.n}))
                else:
                    stored = _has_all(store, files.settings, shard, todo.n)
            yield Planned(shard, stored)

    def worker(self, todo: ToDo, store: Store | None) -> tuple[ShardWorker, list[ShardFiles]]:
        """Return the worker of this process, which other workers are like, and where answers and scores lie."""
        judges = judges_of(todo.judge) if self.is_here or todo.open_judge else ()
        worker = ShardWorker(todo.sampler, todo.n, open_storage(self.storage), judges)
        settings = known_settings(todo.sampler, store) if store else todo.sampler.settings()
        files = ShardFiles(worker.storage, settings)
        return worker, [files, *([ScoreFiles.by(judges, files)] if judges else [])]


class Planned(NamedTuple):
    """A shard of a run; it is `stored` where the answers were in evidence.db before."""

    shard: Shard
    stored: bool


@dataclass(frozen=True)
class OpenShards:
    """The shards of a plan that are to be run, by their numbers; they are read anew whenever they are iterated."""

    plan: Iterable[Planned]
    numbers: Container[int]

    def __iter__(self) -> Iterator[Shard]:
        return (shard for shard, _ in self.plan if shard.number in self.numbers)


@dataclass(frozen=True)
class ShardedRun:
    """The shards of one run: `plan` has each of them, in order."""

    answers: ShardedAnswers
    todo: ToDo
    plan: RowSpool
    store: Store | None

    def run(self, run: Run, budget: Budget, label: str, quiet: bool) -> tuple[int, int]:
        """Run the shards that nobody has run, and return how many there are, and how many are whole now.

        Their names are kept in the folder of the run until all are whole. The budget is the driver's: when it is
        spent, no shard is handed out any more. Raises what ended the work of a worker.
        """
        todo, given = self.todo, self.answers
        worker, kinds = given.worker(todo, self.store)
        there = {name for kind in kinds for name in kind.storage.list(kind.folder)}
        wanted = [self._whole_with(one, kinds) for one in self.plan]
        open_ = {number for number, names in enumerate(wanted) if not there.issuperset(names)}
        done, asked, start = len(wanted) - len(open_), 0, time.monotonic()
        if not open_:
            return len(wanted), done
        run.path.mkdir(parents=True, exist_ok=True)
        write_atomic(run.shards, json.dumps({"storage": given.storage, "shards": wanted}))
        open_work: OpenWork = lambda: worker  # noqa: E731
        if not given.is_here:
            open_judge = todo.open_judge if worker.judges else None
            # Answers that are in shards already can be sent as what they are: a name and settings.
            opened = given.open_sampler or partial(copy, todo.sampler)
            open_work = partial(open_worker, opened, todo.n, given.storage, open_judge, _settings(worker))

        def speed() -> str:
            return f"{asked / (time.monotonic() - start):.1f} answers/s" if asked else ""

        with progress(f"{label}, shards", quiet, speed) as tell, finish_batch_on_signal() as stopping:
            tell = tell or (lambda *_: None)
            tell(done, len(wanted), budget.tokens, budget.failures)
            for report in given.executor.run(open_work, OpenShards(self.plan, open_)):
                if report.error:
                    raise OutsideError(report.error[0], fix=report.error[1] or None)
                done += not report.unfinished
                asked += report.answers
                budget.tokens += report.tokens
                budget.failures += report.failures
                if report.sent_as:
                    todo.sampler.sent_as |= report.sent_as  # type: ignore[attr-defined]
                tell(done, len(wanted), budget.tokens, budget.failures)
                if stopping() or budget.spent():
                    break
        return len(wanted), done

    def gather(self, run: Run, store: Store) -> dict[Key, Skip]:
        """Put the answers and scores that the shards hold into the store, and return why there is no answer to some.

        What is left of work on shards that are whole now is removed.
        """
        skips, whole = dict[Key, Skip](), True
        _, kinds = self.answers.worker(self.todo, store)
        there = [kind.by_shard() for kind in kinds]
        for one in self.plan:
            wanted = self._whole_with(one, kinds)
            for kind, of_kind in zip(kinds, there, strict=True):
                names = of_kind.get(kind.name(one.shard), [])
                if (final := kind.final(one.shard, self.todo.n)) in names:
                    kind.remove_parts(names)
                    names = [final]
                whole = whole and not {final} & {*wanted} - {*names}
                if isinstance(self.todo.sampler, RunAnswers) and not isinstance(kind, ScoreFiles):
                    continue  # they come from the store
                if isinstance(kind, ScoreFiles):
                    for name, packed in kind.contents(names):
                        store.merge(packed, name)
                    continue
                found = kind.read(names)
                store.add_answers(kind.settings, {key: one for key, one in found.items() if isinstance(one, Answer)})
                skips |= {key: one for key, one in found.items() if isinstance(one, Skip)}
        if whole:
            for kind in kinds:
                kind.storage.sweep(kind.folder)
            run.shards.unlink(missing_ok=True)
        return skips

    def _whole_with(self, one: Planned, kinds: Sequence[ShardFiles]) -> list[str]:
        """Return the files that a shard is whole with; none where the store had its answers."""
        return [] if one.stored else [kind.final(one.shard, self.todo.n) for kind in kinds]
