"""Where the shards of a run lie: a folder that all workers see, or a bucket of an object store.

A file is only ever added, whole, and only where there is none of that name: of several workers that make the same
shard, the first wins, and the others read what it wrote.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from .disk import sync_folder
from .errors import InputError, OutsideError
from .text import one_line


class Storage(Protocol):
    """Files by name, in one flat level of folders."""

    def list(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; none where there is no such folder."""

    def get(self, name: str) -> bytes:
        """Return the content of a file. Raises OutsideError where it can't be read."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Add a file, whole and durable; return False, and change nothing, where there is one of that name."""

    def remove(self, name: str) -> None:
        """Remove a file that is no longer needed, if it is there."""

    def sweep(self, folder: str) -> None:
        """Remove what writers that were killed left in a folder, where nobody writes any more."""


class Folder:
    """A folder of this machine, or of a file system that several machines share (NFS, Lustre): `link` is atomic."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self, folder: str) -> list[str]:
        with suppress(FileNotFoundError, NotADirectoryError):
            return sorted(f"{folder}/{name}" for name in os.listdir(self.path / folder) if not name.startswith("."))
        return []

    def get(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise OutsideError(f"can't read {self.path / name}: {error.strerror}") from error

    def put_new(self, name: str, data: bytes) -> bool:
        try:
            try:
                return self._put_new(self.path / name, data)
            except FileNotFoundError:  # another process swept the temporary file: it had all, and we came late
                return self._put_new(self.path / name, data)
        except OSError as error:
            fix = "use a folder of a file system that has hard links: --shards DIR"
            raise OutsideError(f"can't write {self.path / name}: {error.strerror}", fix=fix) from error

    def _put_new(self, path: Path, data: bytes) -> bool:
        temp = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temp, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temp, path)
        except FileExistsError:
            return False
        finally:
            with suppress(OSError):
                temp.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True

    def remove(self, name: str) -> None:
        with suppress(OSError):
            (self.path / name).unlink(missing_ok=True)

    def sweep(self, folder: str) -> None:
        for temp in (self.path / folder).glob(".*.tmp"):
            with suppress(OSError):
                temp.unlink()


class Bucket:
    """A folder of an object store, through fsspec: its conditional put adds a file only where there is none."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._url = url
        try:
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except (ImportError, ValueError) as error:
            scheme = url.partition(":")[0]
            package = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}.get(scheme, "the fsspec package of that store")
            raise InputError(
                f"--shards {one_line(url)}: {one_line(str(error))}", fix=f"pip install {package}"
            ) from error

    def list(self, folder: str) -> list[str]:
        with suppress(FileNotFoundError):
            found = self._call(self._files.ls, f"{self._root}/{folder}", detail=False)
            return sorted(f"{folder}/{name.rstrip('/').rpartition('/')[2]}" for name in found)
        return []

    def get(self, name: str) -> bytes:
        try:
            return bytes(self._call(self._files.cat_file, f"{self._root}/{name}"))
        except FileNotFoundError as error:
            raise OutsideError(f"can't read {one_line(self._url)}/{name}: there is no such file") from error

    def put_new(self, name: str, data: bytes) -> bool:
        try:
            self._call(self._files.pipe_file, f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._call(self._files.rm_file, f"{self._root}/{name}")

    def sweep(self, folder: str) -> None:
        """Do nothing: what an object store has not taken whole is not there."""

    def _call(self, what: Any, *args: Any, **given: Any) -> Any:
        try:
            return what(*args, **given)
        except (FileExistsError, FileNotFoundError):
            raise
        except Exception as error:  # what an object store's client raises is its own
            raise OutsideError(f"{one_line(self._url)}: {one_line(str(error), 200)}") from error


def open_storage(url: str) -> Storage:
    """Return the storage at a path or URL such as `s3://bucket/answers`. Raises InputError where it can't be used."""
    return Bucket(url) if "://" in url else Folder(Path(url).absolute())
