"""A worker commits each shard once, and goes on where a killed one stopped."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pairforge.errors import OutsideError
from pairforge.shard_worker import ShardWorker
from pairforge.shards import ScoreFiles, Shard, ShardFiles, ShardReport, cut, decoded, encoded
from pairforge.storage import Folder
from pairforge.store import Store
from pairforge.types import Answer, Judge, Key, Prompt, Sampler, Skip


def prompts(count: int) -> list[Prompt]:
    return [Prompt(({"role": "user", "content": f"question {n}"},)) for n in range(count)]


class Echo(Sampler):
    """Answers with the question; `fails` says of which questions it does not, and why."""

    model = "echo"

    def __init__(self, fails: Mapping[str, Skip] | None = None, mark: str = "", dies_after: int | None = None) -> None:
        self.warnings: list[str] = []
        self.fails, self.mark, self.dies_after, self.asked = fails or {}, mark, dies_after, list[Key]()

    def settings(self) -> dict[str, Any]:
        return {"sampler": "echo"}

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        for prompt in prompts:
            for index in range(first, n):
                if (key := (prompt.id, index)) in done:
                    continue
                if len(self.asked) == self.dies_after:
                    raise KeyboardInterrupt
                self.asked.append(key)
                text = f"{self.mark}{prompt.question} {index}"
                yield {key: self.fails.get(prompt.question) or Answer(text, "stop", 3)}


def test_a_shard_is_committed_once_and_never_asked_again(tmp_path: Path) -> None:
    storage, shard = Folder(tmp_path), Shard(0, prompts(5))
    first, second = Echo(mark="1 "), Echo(mark="2 ")
    assert ShardWorker(first, 2, storage)(shard)[:4] == (0, 10, 30, 0)
    assert ShardWorker(second, 2, storage)(shard)[:4] == (0, 0, 0, 0) and not second.asked
    files = ShardFiles(storage, first.settings())
    assert files.of(shard) == [files.final(shard, 2)]
    found = files.read(files.of(shard))
    assert all(isinstance(one, Answer) and one.text.startswith("1 ") for one in found.values()) and len(found) == 10


def test_more_answers_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    storage, shard, sampler = Folder(tmp_path), Shard(0, prompts(3)), Echo()
    ShardWorker(sampler, 1, storage)(shard)
    sampler.asked.clear()
    ShardWorker(sampler, 3, storage)(shard)
    assert {index for _, index in sampler.asked} == {1, 2}
    files = ShardFiles(storage, sampler.settings())
    assert len(decoded(storage.get(files.final(shard, 3)), "")) == 9


def test_a_worker_that_is_stopped_loses_nothing_and_leaves_no_part_behind(tmp_path: Path) -> None:
    storage, shard = Folder(tmp_path), Shard(0, prompts(6))
    stopped, other = Echo(dies_after=4), Echo()
    with pytest.raises(KeyboardInterrupt):
        ShardWorker(stopped, 1, storage)(shard)
    assert ShardWorker(other, 1, storage)(shard).answers == 2 and len(other.asked) == 2
    files = ShardFiles(storage, other.settings())
    assert files.of(shard) == [files.final(shard, 1)]


class Counted(Folder):
    """A folder that counts how often it is listed: on an object store that costs time and money."""

    listed = 0

    def list(self, folder: str) -> list[str]:
        self.listed += 1
        return super().list(folder)


def test_what_others_have_done_is_listed_once_for_all_shards(tmp_path: Path) -> None:
    storage, shards = Counted(tmp_path), list(cut(prompts(40), 10))
    for shard in shards[1:]:
        ShardWorker(Echo(), 1, Folder(tmp_path), [Lengths()])(shard)
    worker = ShardWorker(Echo(), 1, storage, [Lengths()])
    assert [worker(shard).answers for shard in shards] == [len(shards[0].prompts), *[0] * (len(shards) - 1)]
    assert storage.listed == 2 and len(shards) > 2


def test_a_shard_lists_its_answers_once_and_its_scores_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairforge.shard_worker.PART_SECONDS", 0.0)  # every answer and every score is put aside
    storage, shard, judge = Counted(tmp_path), Shard(0, prompts(4)), Lengths()
    with pytest.raises(KeyboardInterrupt):
        ShardWorker(Echo(dies_after=2), 2, storage)(shard)
    storage.listed = 0
    assert ShardWorker(Echo(), 2, storage, [judge])(shard).answers == 6
    assert storage.listed == 2
    ShardWorker(Echo(), 2, storage, [judge])(shard)
    assert storage.listed == 4
    answers = ShardFiles(storage, Echo().settings())
    for files in (answers, ScoreFiles.by([judge], answers)):
        assert files.of(shard) == [files.final(shard, 2)], "parts are left"


def test_what_another_try_may_resolve_leaves_a_shard_open(tmp_path: Path) -> None:
    storage, shard = Folder(tmp_path), Shard(0, prompts(4))
    fails = {"question 1": Skip("failed", "timeout"), "question 2": Skip("rejected", "too long")}
    report = ShardWorker(Echo(fails), 1, storage)(shard)
    assert (report.answers, report.failures, report.unfinished) == (2, 2, True)
    again = Echo({"question 2": fails["question 2"]})
    report = ShardWorker(again, 1, storage)(shard)
    assert (report.answers, report.unfinished) == (1, False)
    files = ShardFiles(storage, again.settings())
    found = files.read(files.of(shard))
    assert [one for one in found.values() if isinstance(one, Skip)] == [fails["question 2"]] and len(found) == 4


def test_what_can_t_be_replayed_is_no_failure_and_what_never_comes_leaves_a_shard_open(tmp_path: Path) -> None:
    class Silent(Echo):
        def sample(self, prompts: Sequence[Prompt], *given: Any, **__: Any) -> Iterator[Mapping[Key, Answer | Skip]]:
            yield from super().sample(prompts[:-1], *given)

    missing = {"question 1": Skip("not_replayed", "no stored answer")}
    report = ShardWorker(Silent(missing), 1, Folder(tmp_path))(Shard(0, prompts(3)))
    assert (report.answers, report.failures, report.unfinished) == (1, 0, True)
    report = ShardWorker(Echo(missing), 1, Folder(tmp_path))(Shard(0, prompts(3)))
    assert (report.answers, report.failures, report.unfinished) == (1, 0, False)


def test_an_error_of_a_worker_is_in_its_report(tmp_path: Path) -> None:
    class Broken(Echo):
        def sample(self, *_: Any, **__: Any) -> Iterator[Mapping[Key, Answer | Skip]]:
            raise OutsideError("no memory", fix="use a smaller model")

    report = ShardWorker(Broken(), 1, Folder(tmp_path))(Shard(3, prompts(1)))
    assert report == ShardReport(3, error=("no memory", "use a smaller model"))


class Lengths(Judge):
    """Scores an answer by its length; dies after so many."""

    name = "lengths"

    def __init__(self, dies_after: int | None = None) -> None:
        self.warnings: list[str] = []
        self.dies_after, self.judged = dies_after, list[str]()

    def settings(self) -> dict[str, Any]:
        return {"judge": self.name}

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Sequence[float | Skip]:
        if self.dies_after is not None and len(self.judged) >= self.dies_after:
            raise KeyboardInterrupt
        self.judged += answers
        return [float(len(text)) for text in answers]


def test_a_judge_that_is_stopped_goes_on_where_it_was_and_scores_what_was_committed(tmp_path: Path) -> None:
    storage, shard = Folder(tmp_path / "shards"), Shard(0, prompts(6))
    ShardWorker(Echo(mark="first "), 2, storage)(shard)
    stopped, other, late = Lengths(dies_after=4), Lengths(), Lengths()
    with pytest.raises(KeyboardInterrupt):
        ShardWorker(Echo(mark="second "), 2, storage, [stopped])(shard)
    assert ShardWorker(Echo(mark="third "), 2, storage, [other])(shard) == ShardReport(0)
    assert len(stopped.judged) == 4 and len(other.judged) == 8
    assert all(text.startswith("first ") for text in (*stopped.judged, *other.judged))
    ShardWorker(Echo(), 2, storage, [late])(shard)
    assert not late.judged
    files = ScoreFiles.by([late], ShardFiles(storage, Echo().settings()))
    assert files.of(shard) == [files.final(shard, 2)]
    with closing(Store(tmp_path)) as store:
        store.merge(storage.get(files.final(shard, 2)), "")
        assert len(store.scores(late.settings())) == 12


def test_other_references_are_judged_anew(tmp_path: Path) -> None:
    storage, judge = Folder(tmp_path), Lengths()
    for reference in ("a", "b"):
        asked = [replace(prompt, columns={"reference": reference}) for prompt in prompts(3)]
        ShardWorker(Echo(), 2, storage, [judge])(Shard(0, asked))
    assert len(judge.judged) == 12


def test_scores_that_can_t_be_read_are_named(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store, pytest.raises(OutsideError, match=r"a/b\.db\.gz holds no scores"):
        store.merge(b"PAR1", "a/b.db.gz")


def test_a_part_that_is_gone_meanwhile_is_no_error(tmp_path: Path) -> None:
    storage, shard = Folder(tmp_path), Shard(0, prompts(4))
    with pytest.raises(KeyboardInterrupt):
        ShardWorker(Echo(dies_after=2), 1, storage)(shard)
    files = ShardFiles(storage, Echo().settings())
    listed = files.of(shard)
    ShardWorker(Echo(), 1, storage)(shard)
    assert listed and files.read(listed) == {}
    with pytest.raises(OutsideError, match="can't read"):
        files.read([files.final(shard, 9)])


def test_workers_that_race_with_other_answers_agree_on_one_set(tmp_path: Path) -> None:
    storage, shards = Folder(tmp_path), list(cut(prompts(40), 10))
    samplers = [Echo(mark=f"{number} ") for number in range(3)]
    iterators = [sampler.sample(shard.prompts, 1, set()) for sampler in samplers for shard in shards[:1]]
    halves = [dict(next(iter(islice(one, 1))).items()) for one in iterators]  # all three have begun the first shard
    files = ShardFiles(storage, samplers[0].settings())
    for half in halves:
        files.put_part(shards[0], encoded(half))
    for shard in shards:
        for sampler in samplers:
            ShardWorker(sampler, 1, storage)(shard)
    read = [files.read(files.of(shard)) for shard in shards]
    assert sum(map(len, read)) == 40 and all(len(files.of(shard)) == 1 for shard in shards)
    assert sum(len(sampler.asked) for sampler in samplers) < 3 * 40
