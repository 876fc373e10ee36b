"""The worker of a run in shards: it asks one sampler for the answers of a shard, has them judged, and commits both."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import PairforgeError
from .run import RETRYABLE
from .shards import ScoreFiles, Shard, ShardFiles, ShardReport, encoded
from .stages import answers_of, judge_groups, sample, worth_judging
from .stopping import Budget
from .storage import Storage
from .store import Store
from .types import Answer, Judge, Key, Prompt, Sampler, Skip

PART_SECONDS = 30.0
"""What a worker has made is put aside this often: a kill costs no more."""
_MISSING = Skip("failed", "no answer")


@dataclass(frozen=True)
class ShardWorker:
    """Makes the answers of shards, one after the other, and their scores.

    Args:
        sampler: is asked for `n` answers to each prompt.
        storage: where shards are committed.
        judges: score the answers that were committed, whoever made them.
    """

    sampler: Sampler
    n: int
    storage: Storage
    judges: Sequence[Judge] = ()
    _listed: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False)
    """What each folder held when it was listed last."""

    def __call__(self, shard: Shard) -> ShardReport:
        """Do what nobody has done of a shard yet. An error that ends a run ends the work on this shard alone."""
        try:
            report = self._ask(shard)._replace(sent_as=getattr(self.sampler, "sent_as", {}))
            if not self.judges or report.unfinished:
                return report
            return self._judge(shard, ShardFiles(self.storage, self.sampler.settings()), report)
        except PairforgeError as error:
            return ShardReport(shard.number, error=(error.message, error.fix or ""))

    def _names(self, files: ShardFiles, shard: Shard) -> list[str]:
        """Return the files of a shard. Listing costs on an object store: what was whole before is not listed again."""
        names = files.of(shard, self._listed.get(files.folder, ()))
        if files.final(shard, self.n) not in names:
            self._listed[files.folder] = files.storage.list(files.folder)
            names = files.of(shard, self._listed[files.folder])
        return names

    def _ask(self, shard: Shard) -> ShardReport:
        files = ShardFiles(self.storage, self.sampler.settings())
        names = self._names(files, shard)
        if files.final(shard, self.n) in names:
            return ShardReport(shard.number)
        answers, failed, budget = _ShardAnswers(files, shard, names), dict[Key, Skip](), Budget()
        try:
            sample(shard.prompts, self.sampler, self.n, answers, budget=budget, failed=failed)
        except BaseException:  # also of a signal: what is there is not asked for again
            answers.put_aside()
            raise
        found: dict[Key, Answer | Skip] = {**failed, **answers.known}
        keys = ((prompt.id, index) for prompt in shard.prompts for index in range(self.n))
        unfinished = any(isinstance(one := found.get(key, _MISSING), Skip) and one.reason in RETRYABLE for key in keys)
        if not unfinished:
            answers.files.commit(shard, self.n, encoded(found), answers.names)
        else:
            answers.put_aside(failed)
        return ShardReport(shard.number, answers.new, budget.tokens, budget.failures, unfinished)

    def _judge(self, shard: Shard, answers: ShardFiles, report: ShardReport) -> ShardReport:
        files = ScoreFiles.by(self.judges, answers)
        names = self._names(files, shard)
        if files.final(shard, self.n) in names:
            return report
        found = answers.read([answers.final(shard, self.n)])  # those that stand, by whomever
        sampled = {prompt.id: answers_of(prompt.id, self.n, found) for prompt in shard.prompts}
        _, groups = worth_judging(shard.prompts, sampled)
        budget, again, stopped = Budget(), list[Skip](), False
        with TemporaryDirectory() as folder, closing(_ShardStore(Path(folder), files, shard, names)) as store:

            def ask(prompts: Sequence[Prompt], sampler: Sampler) -> Mapping[str, list[Answer] | Skip]:
                replies = sample(prompts, sampler, 1, store, budget=budget)
                again.extend(one for one in replies.values() if isinstance(one, Skip) and one.reason in RETRYABLE)
                return replies

            try:
                for judge in self.judges:
                    scores = judge_groups(groups, judge, store, ask)
                    stopped |= sum(map(len, scores)) < sum(len(group.answers) for group in groups)
            except BaseException:
                store.put_aside()
                raise
            if unfinished := stopped or bool(again):
                store.put_aside()
            else:
                files.commit(shard, self.n, store.packed(), store.names)
        tokens, failures = report.tokens + budget.tokens, report.failures + budget.failures
        return report._replace(tokens=tokens, failures=failures, unfinished=unfinished)


class _ShardAnswers:
    """The answers to a shard, which are put aside as they come; for `stages.sample`, as the store of them.

    `names` are the files that have something of the shard, under the sampler's settings: those of `files`.
    """

    def __init__(self, files: ShardFiles, shard: Shard, names: Sequence[str]) -> None:
        self.files, self._shard, self.names, self._last = files, shard, [*names], time.monotonic()
        self.known, self._part, self.new = dict[Key, Answer](), dict[Key, Answer](), 0

    def answers(self, settings: Mapping[str, Any], prompts: Iterable[str]) -> dict[Key, Answer]:
        if settings != self.files.settings:  # a server refused one of them
            self.files = ShardFiles(self.files.storage, settings)
            self.names = self.files.of(self._shard)
        found = self.files.read(self.names)
        self.known, self._part = {key: one for key, one in found.items() if isinstance(one, Answer)}, {}
        return dict(self.known)

    def add_answers(self, settings: Mapping[str, Any], answers: Mapping[Key, Answer]) -> dict[Key, Answer]:
        self.known |= answers
        self._part |= answers
        self.new += len(answers)
        if time.monotonic() - self._last > PART_SECONDS:
            self.put_aside()
        return dict(answers)

    def copy_answers(self, source: Mapping[str, Any], target: Mapping[str, Any], prompts: Iterable[str]) -> None:
        """Do nothing: what a shard has under other settings is in the files of those."""

    def sent_as(self, settings: Mapping[str, Any]) -> dict[str, str | None]:
        return {}

    def put_aside(self, failed: Mapping[Key, Skip] | None = None) -> None:
        """Put aside what is new, and why some have failed."""
        part: dict[Key, Answer | Skip] = {**self._part, **(failed or {})}
        if part:
            self.names.append(self.files.put_part(self._shard, encoded(part)))
        self._part, self._last = {}, time.monotonic()


class _ShardStore(Store):
    """The scores of a shard and what a judge's model said, which are put aside as they come.

    `names` are the files that have something of it: parts, which are taken in.
    """

    def __init__(self, out: Path, files: ScoreFiles, shard: Shard, names: Sequence[str]) -> None:
        super().__init__(out)
        self._files, self._shard, self.names, self._last = files, shard, [*names], time.monotonic()
        for name, packed in files.contents(names):
            self.merge(packed, name)

    def put_aside(self) -> None:
        """Put all aside that is here."""
        self.names.append(self._files.put_part(self._shard, self.packed()))
        self._last = time.monotonic()

    def add_scores(self, settings: Mapping[str, Any], scores: Mapping[tuple[str, str], float]) -> None:
        super().add_scores(settings, scores)
        self._now_and_then()

    def add_answers(self, settings: Mapping[str, Any], answers: Mapping[Key, Answer]) -> dict[Key, Answer]:
        added = super().add_answers(settings, answers)
        self._now_and_then()
        return added

    def _now_and_then(self) -> None:
        if time.monotonic() - self._last > PART_SECONDS:
            self.put_aside()
