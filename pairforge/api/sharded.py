"""Runs in shards: an executor fills them, and what they hold is put into the store, from which the pairs are made."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from ..console import progress
from ..errors import InputError, OutsideError
from ..options.common import BuildOptions, ExecutorOptions, RunOptions
from ..options.declaration import part_of
from ..options.sampling import SamplerOptions
from ..plugins import load
from ..run import out_dir
from ..shards import Executor, Shard, ShardFiles, ShardWorker, cut
from ..stopping import Budget, finish_batch_on_signal
from ..storage import open_storage
from ..store import Store
from ..text import did_you_mean, one_line
from ..types import Answer, Key, Prompt, Sampler, Skip
from .models import open_sampler

EXECUTORS = ("local", "array", "ray")


def open_worker(options: SamplerOptions, n: int, first: int, storage: str) -> ShardWorker:
    """Open a worker, in this process or wherever an executor runs it."""
    return ShardWorker(open_sampler(options, quiet=True), n, open_storage(storage), first)


def open_executor(options: ExecutorOptions) -> Executor | None:
    """Return the executor that the options name, if they name one. Code that is named is run. Raises InputError."""
    from ..executors.local import ArrayExecutor, LocalExecutor

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


class _Known:
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
        storage = options.shards or str((out_dir(options.output) / "shards").absolute())
        return cls(executor, storage, part_of(options, SamplerOptions), options.shard_size)

    def fill(
        self, prompts: Sequence[Prompt], sampler: Sampler, n: int, first: int, store: Store, budget: Budget, label: str,
        quiet: bool,
    ) -> Sampler:  # fmt: skip
        """Put the answers of all shards into the store, and return the sampler for what is left.

        The budget is the driver's: it hands out no shard more when it is spent. Raises what ends the work of a worker.
        """
        options = self._options_of(sampler)
        if options is None:  # of another model, or from a file: asked in this process
            return sampler
        storage, settings = open_storage(self.storage), sampler.settings()
        files, shards = ShardFiles(storage, settings), [*cut(prompts, self.size)]
        there = set(storage.list(files.folder))
        known = store.answers(settings)
        open_ = [
            shard
            for shard in shards
            if files.final(shard, n) not in there
            and not all((prompt.id, index) in known for prompt in shard.prompts for index in range(n))
        ]
        del known
        if open_:
            self._run(partial(open_worker, options, n, first, self.storage), open_, len(shards), budget, label, quiet)
        skips: dict[Key, Skip] = {}
        for shard in shards:
            found = files.read(files.of(shard))
            store.add_answers(settings, {key: one for key, one in found.items() if isinstance(one, Answer)})
            skips |= {key: one for key, one in found.items() if isinstance(one, Skip)}
        return cast("Sampler", _Known(sampler, skips))

    def _options_of(self, sampler: Sampler) -> SamplerOptions | None:
        """Return the options that open an equal sampler, if there are such."""
        decoding = vars(getattr(sampler, "decoding", None) or object)
        changed = {name: value for name, value in decoding.items() if hasattr(self.options, name)}
        options = replace(self.options, **changed)
        return options if open_sampler(options, quiet=True).settings() == sampler.settings() else None

    def _run(self, open_work: Any, shards: list[Shard], total: int, budget: Budget, label: str, quiet: bool) -> None:
        done = total - len(shards)
        with progress(f"{label}, shards", quiet) as tell, finish_batch_on_signal() as stopping:
            reports = self.executor.run(open_work, shards)
            with closing(reports):  # type: ignore[type-var]
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
