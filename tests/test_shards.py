"""Shards are cut by content, and what is written of them is read."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.errors import OutsideError
from pairforge.shards import Shard, ShardReport, cut, decoded, encoded, run_shard
from pairforge.types import Answer, Key, Prompt, Skip


def prompts(count: int, start: int = 0) -> list[Prompt]:
    return [Prompt(({"role": "user", "content": f"question {n}"},)) for n in range(start, start + count)]


def open_noting(folder: str) -> Callable[[Shard], ShardReport]:
    (Path(folder) / uuid4().hex).touch()
    return lambda shard: ShardReport(shard.number)


@given(st.integers(0, 400), st.integers(1, 40))
def test_shards_hold_all_prompts_once_in_order(count: int, size: int) -> None:
    given = prompts(count)
    shards = list(cut([*given, Skip("json", "f:1"), *given[:10]], size))
    assert [prompt for shard in shards for prompt in shard.prompts] == given
    assert [shard.number for shard in shards] == [*range(len(shards))]
    assert all(max(size // 2, 1) <= len(shard.prompts) <= 2 * size for shard in shards[:-1])


def test_prompts_that_are_put_in_leave_most_shards_as_they_are() -> None:
    before = {shard.name for shard in cut(prompts(2000), 50)}
    after = {shard.name for shard in cut([*prompts(7, start=5000), *prompts(2000)], 50)}
    assert len(before & after) > 0.8 * len(before)


@given(
    st.dictionaries(
        st.tuples(st.text(max_size=8), st.integers(0, 9)),
        st.one_of(
            st.builds(Skip, st.sampled_from(["failed", "rejected"]), st.text(max_size=9)),
            st.builds(
                Answer,
                st.text("ab é", min_size=1).map(str.strip),
                st.sampled_from(["stop", "length"]),
                st.integers(0, 9),
            ),
        ),
        max_size=9,
    )
)
def test_what_is_written_is_read(results: dict[Key, Answer | Skip]) -> None:
    assert decoded(encoded(results), "x") == results


def test_writing_and_reading_imports_no_pandas() -> None:
    code = """if True:
        import sys
        from pairforge.shards import decoded, encoded
        from pairforge.types import Answer
        assert decoded(encoded({("p", 0): Answer("a", "stop")}), "") and "pandas" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_no_shard_is_named() -> None:
    with pytest.raises(OutsideError, match=r"a/b\.parquet is not a shard"):
        decoded(b"PAR1", "a/b.parquet")


def test_a_process_opens_a_worker_once(tmp_path: Path) -> None:
    opened = partial(open_noting, str(tmp_path))
    for number in range(3):
        assert run_shard(pickle.loads(pickle.dumps(opened)), Shard(number, [])).number == number
    assert len([*tmp_path.iterdir()]) == 1
