"""The first of several writers wins, whole files only, nothing else is left."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pairforge.errors import InputError, OutsideError
from pairforge.storage import Bucket, Folder, Storage, open_storage

ON_S3 = pytest.param("s3", marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")])


@pytest.fixture(params=["folder", "memory", ON_S3])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return open_storage(request.getfixturevalue("s3"))
    return open_storage(str(tmp_path) if request.param == "folder" else f"memory://{tmp_path.name}")


def test_files_are_added_listed_read_and_removed(storage: Storage) -> None:
    assert storage.list("a") == []
    assert storage.put_new("a/one", b"1") and storage.put_new("a/two", b"2") and storage.put_new("b/one", b"3")
    assert storage.list("a") == ["a/one", "a/two"]
    assert storage.get("a/two") == b"2"
    storage.remove("a/one")
    storage.remove("a/one")
    storage.sweep("a")
    assert storage.list("a") == ["a/two"]


def test_what_is_not_there_can_t_be_read(storage: Storage) -> None:
    with pytest.raises(OutsideError, match=r"can't read .*a/missing"):
        storage.get("a/missing")


def test_what_a_killed_writer_left_is_not_listed_and_is_swept(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put_new("a/one", b"1")
    (tmp_path / "a" / ".two.0.tmp").touch()
    assert folder.list("a") == ["a/one"]
    folder.sweep("a")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one"]


def test_a_file_is_never_replaced(storage: Storage) -> None:
    assert storage.put_new("a/one", b"first")
    assert not storage.put_new("a/one", b"second")
    assert storage.get("a/one") == b"first"


def test_a_writer_whose_temporary_file_is_swept_writes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sync, swept = Folder(tmp_path), os.fsync, list[int]()

    def swept_meanwhile(file: int) -> None:
        sync(file)
        if not swept:
            swept.append(file)
            folder.sweep("a")

    monkeypatch.setattr("os.fsync", swept_meanwhile)
    assert folder.put_new("a/one", b"1") and folder.get("a/one") == b"1" and swept


def test_of_many_writers_at_once_one_wins_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    folder, won = Folder(tmp_path), list[int]()

    def put(number: int) -> None:
        if folder.put_new("a/one", bytes([number]) * 10_000):
            won.append(number)

    writers = [threading.Thread(target=put, args=[number]) for number in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(won) == 1 and folder.get("a/one") == bytes(won) * 10_000
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one"]


def test_what_can_t_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="can't write"):
        Folder(tmp_path / "file").put_new("a/one", b"")
    with pytest.raises(InputError, match="nowhere"):
        open_storage("nowhere://bucket")


def test_a_url_is_a_bucket_and_all_else_a_folder() -> None:
    assert isinstance(open_storage("memory://x"), Bucket) and isinstance(open_storage("x"), Folder)
