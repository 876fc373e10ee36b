"""Rows on disk: any number of readers at a time, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairforge.readers import spool
from pairforge.readers.spool import RowSpool
from pairforge.types import Skip


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_rows_are_read_again_and_by_two_at_a_time(temporary: Path) -> None:
    rows = [{"a": float("inf")}, Skip("json", "x"), None, {"\ud800": [1]}]
    with RowSpool(iter(rows)) as spool:
        assert len(spool) == 4
        assert list(spool) == list(spool) == rows
        assert list(zip(spool, spool, strict=True)) == list(zip(rows, rows, strict=True))
    assert not list(temporary.iterdir())


def test_rows_that_break_off_leave_no_file(temporary: Path) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("row")

    with pytest.raises(KeyError), RowSpool(broken()):
        pass
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("count", [0, 3, 4, 9])
def test_many_rows_are_spooled_and_few_are_a_list(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_IN_MEMORY", 4)
    kept = spool.spooled(iter(range(count)))
    assert isinstance(kept, list) == (count < 4)
    assert len(kept) == count and [*kept] == [*kept] == [*range(count)]
    assert [*spool.batched(kept, 4)] == [[*range(count)][at : at + 4] for at in range(0, count, 4)]
