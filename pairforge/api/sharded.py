"""Runs in shards: an executor fills them, and what they hold is put into the store, from which the pairs are made."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from ..console import progress
from ..errors import InputError, OutsideError
from ..executors.local import ArrayExecutor, LocalExecutor
from ..options.common import BuildOptions, ExecutorOptions, RunOptions
from ..options.declaration import part_of
from ..options.sampling import SamplerOptions
from ..plugins import load
from ..run import out_dir
from ..shards import Executor, Shard, ShardFiles, ShardPlan, ShardWorker
from ..stopping import Budget, finish_batch_on_signal
from ..storage import open_storage
from ..store import Store
from ..text import did_you_mean, one_line
from ..types import Answer, Key, Prompt, Sampler, Skip
from .models import open_sampler

Prompts: TypeAlias = "Callable[[], Iterable[Prompt | Skip]]"
EXECUTORS = ("local", "array", "ray")


def open_worker(options: SamplerOptions, n: int, storage: str) -> ShardWorker:
    """Open a worker, in this process or wherever an executor runs it."""
    return ShardWorker(open_sampler(options, quiet=True), n, open_storage(storage))


def open_executor(options: ExecutorOptions) -> Executor | None:
    """Return the executor that the options name, if they name one. Code that is named is run. Raises InputError."""
    name = options.executor
    if name is None or name == "local":
        if options.part is not None:
            raise InputError("--part has no effect without --executor array", fix="add --executor array")
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


class KnownSkips:
    """A sampler that knows why some answers are not there, and doesn't ask for those again."""

    def __init__(self, sampler: Sampler, skips: Mapping[Key, Skip]) -> None:
        self.sampler, self.skips = sampler, skips

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Give the reasons that are known, then ask for the rest."""
        keys = [(prompt.id, index) for prompt in prompts for index in range(first, n)]
        yield {key: self.skips[key] for key in keys if key in self.skips and key not in done}
        known = {key for key in keys if key in self.skips or key in done}
        if len(known) < len(keys):
            yield from self.sampler.sample(prompts, n, known, *([first] if first else []))


def _has_all(store: Store | None, settings: Mapping[str, Any], shard: Shard, n: int) -> bool:
    known = store.answers(settings, (prompt.id for prompt in shard.prompts)) if store else {}
    return all((prompt.id, index) in known for prompt in shard.prompts for index in range(n))


@dataclass(frozen=True)
class ShardedAnswers:
    """Has the answers of a run made in shards.

    Args:
        executor: runs the shards.
        storage: the path or URL where they are committed.
        options: from which a worker opens the sampler.
        size: prompts of a shard, on average.
    """

    executor: Executor
    storage: str
    options: SamplerOptions
    size: int

    @classmethod
    def of(cls, options: RunOptions) -> ShardedAnswers | None:
        """Return what the options of a run ask for; None where its answers are asked for in this process."""
        if not isinstance(options, BuildOptions) or (executor := open_executor(options)) is None:
            return None
        if options.max_cost is not None:
            raise InputError("--max-cost can't be counted with --executor", fix="limit the answers by --max-tokens")
        storage = options.shards or str((out_dir(options.output) / "shards").absolute())
        return cls(executor, storage, part_of(options, SamplerOptions), options.shard_size)

    @property
    def is_task(self) -> bool:
        """Return whether this process is one of many that run shards, and makes no pairs."""
        return isinstance(self.executor, ArrayExecutor)

    def run(
        self, prompts: Prompts, sampler: Sampler, n: int, budget: Budget, label: str, quiet: bool,
        store: Store | None = None,
    ) -> tuple[int, int]:  # fmt: skip
        """Run the shards that nobody has run, and return how many there are, and how many are whole now.

        The budget is the driver's: when it is spent, no shard is handed out any more. Raises what ended the work of a
        worker.
        """
        options, settings = self._options_of(sampler), sampler.settings()
        files, plan = ShardFiles(open_storage(self.storage), settings), ShardPlan(prompts, self.size)
        there, open_, total = set(files.storage.list(files.folder)), set[int](), 0
        for total, shard in enumerate(plan, 1):  # noqa: B007
            if files.final(shard, n) not in there and not _has_all(store, settings, shard, n):
                open_.add(shard.number)
        done, work = total - len(open_), partial(open_worker, options, n, self.storage)
        if open_:
            with progress(f"{label}, shards", quiet) as tell, finish_batch_on_signal() as stopping:
                reports = self.executor.run(work, replace(plan, open=open_))
                for report in reports:
                    if report.error:
                        raise OutsideError(report.error[0], fix=report.error[1] or None)
                    done += not report.unfinished
                    budget.tokens += report.tokens
                    budget.failures += report.failures
                    if tell:
                        tell(done, total, budget.tokens, budget.failures)
                    if stopping() or budget.spent():
                        break
        return total, done

    def gather(self, prompts: Prompts, sampler: Sampler, n: int, store: Store) -> dict[Key, Skip]:
        """Put the answers that the shards hold into the store, and return why there is none to some.

        What is left of work on shards that are whole now is removed.
        """
        files, skips = ShardFiles(open_storage(self.storage), sampler.settings()), dict[Key, Skip]()
        whole, there = True, files.by_shard()
        for shard in ShardPlan(prompts, self.size):
            names = there.get(shard.name, [])
            if (final := files.final(shard, n)) in names:
                files.remove_parts(names)
                names = [final]
            whole = whole and final in names
            found = files.read(names)
            store.add_answers(files.settings, {key: one for key, one in found.items() if isinstance(one, Answer)})
            skips |= {key: one for key, one in found.items() if isinstance(one, Skip)}
        if whole:
            files.storage.sweep(files.folder)
        return skips

    def _options_of(self, sampler: Sampler) -> SamplerOptions:
        """Return the options by which a worker opens the sampler of this run. Raises InputError where none do."""
        if open_sampler(self.options, quiet=True).settings() != sampler.settings():
            what = "--executor asks one model, as the options name it"
            raise InputError(what, fix="leave --executor out for this run")
        return self.options
