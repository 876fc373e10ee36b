"""The rows that are wanted, and the bytes of files: unpacked (gzip, Zstandard) within limits, at once or line by line.

What a file is shows in its first bytes, not in its name. Archives and pickles are refused: names inside an archive are
never used, nothing in a file is ever run.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..errors import InputError
from ..text import escaped, one_line
from ..types import Skip
from .foreign_files import LOOKED_AT, UNPACK, code_file, foreign_file

PlacedRow: TypeAlias = tuple[str, Any]
"""Where a row is (file:line, or file:row i from 0), and its value: a `Skip` where it can't be read."""


@dataclass(frozen=True)
class Unreadable(Skip):
    """A row that is broken, what fixes it, and its line as it was, where rows are lines.

    `reason` is json, encoding, repeated_key or limit, `detail` says where and what ("file:line: what"). One that is
    merely too long is skipped: a plain `Skip`.
    """

    fix: str | None = None
    line: str | None = None


@dataclass(frozen=True)
class Wanted:
    """The kind of rows to read: `what` names it for messages, `named` says there what may be given.

    `columns` are those by which a table without a file name is recognised. With `text`, lines of text are rows, and so
    are the objects of a JSON document, or of a list within it. `cells` makes a row of a line of CSV, given by column,
    and of where it is. A row of more bytes than `max_row_bytes` (None: `MAX_ROW_BYTES`) is skipped. What is
    unusual about the lines of a file is added to `noted`.
    """

    what: str
    named: str
    columns: Collection[str]
    text: bool = False
    cells: Callable[[dict[str, str], str], Any] = lambda row, where: row
    max_row_bytes: int | None = None
    noted: set[str] = field(default_factory=set, compare=False)

    @property
    def limit(self) -> int:
        """Return the most bytes of a row."""
        return self.max_row_bytes or MAX_ROW_BYTES


MAX_BYTES = 2 * 2**30
"""How far a packed file is unpacked, and how much of any file is read in one go."""
MAX_RATIO = 100
"""How many bytes one packed byte, or one of Parquet or Arrow, may become ..."""
FREE_BYTES = 64 * 2**20
"""... beyond these, which any file may hold once unpacked."""
MAX_ROW_BYTES = 16 * 2**20
"""The longest row that is kept, where no other limit is given."""

STDIN, BOM, UTF16, PACKED = "-", b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff"), (".gz", ".zst")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class EncodingError(InputError):
    """Bytes that are not UTF-8 text."""


def name_of(path: str | Path) -> str:
    """Return the name of a file for messages."""
    return "stdin" if str(path) == STDIN else escaped(str(path))


def suffix_of(path: str | Path) -> str:
    """Return the ending of a name that says what the file holds, in small letters: `.jsonl` of `a.JSONL.gz`."""
    name = Path(path)
    return Path(name.stem if name.suffix.lower() in PACKED else name.name).suffix.lower()


def open_unpacked(path: str | Path) -> io.BufferedReader:
    """Open a file (`-`: standard input) as a stream of its unpacked bytes, for `with`.

    Raises InputError, here or while it is read: it can't be read, is refused, is cut off, or grows beyond the limits.
    """
    name = name_of(path)
    if known := code_file(Path(path).suffix.lower()):
        raise InputError(f"{name} is {known[0]}", fix=known[1])
    try:
        if str(path) == STDIN:  # left open
            source = _Stream(cast("io.BufferedReader", sys.stdin.buffer).read1, lambda: None, name)
        else:
            file = io.FileIO(path)
            source = _Stream(file.read, file.close, name)
    except (OSError, ValueError, AttributeError) as error:  # standard input may be None
        words: dict[type[Exception], str] = {FileNotFoundError: "does not exist", IsADirectoryError: "is a folder"}
        words[AttributeError] = "can't be read: it is closed"
        what = words.get(type(error)) or f"can't be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(f"{name} {what}", fix="give the path of a file") from error
    packed: io.BufferedReader = io.BufferedReader(source, 2**17)
    start = _start(packed, name, path)
    if start.startswith(_GZIP):
        read = gzip.GzipFile(fileobj=packed).read1
    elif start.startswith(_ZSTD):
        import pyarrow

        read = pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, "r"), "zstd").read1
    else:
        return packed
    unpacked: io.BufferedReader = io.BufferedReader(_Stream(read, packed.close, name, source), 2**17)
    if _start(unpacked, name, path).startswith((_GZIP, _ZSTD)):
        unpacked.close()
        raise InputError(f"{name} is packed twice", fix=UNPACK)
    return unpacked


def is_file(path: Path, stream: io.BufferedReader) -> bool:
    """Return whether a stream of `open_unpacked` has the bytes of the file itself, which can be read in any order."""
    return str(path) != STDIN and path.is_file() and not (isinstance(stream.raw, _Stream) and stream.raw.packed)


def check_size(unpacked: int, packed: int, name: str) -> None:
    """Raise InputError where a file unpacks to too many bytes for its size."""
    if unpacked > max(FREE_BYTES, MAX_RATIO * packed):
        what = f"unpacks to more than {unpacked >> 20} MB out of {packed >> 10} KB"
        raise InputError(f"{name} {what}", fix="unpack it, or write it as JSON Lines")


def read_rest(stream: io.BufferedReader, name: str) -> bytes:
    """Return what is left of a stream. Raises InputError where that is more than `MAX_BYTES`."""
    parts, size = [], 0
    while part := stream.read(2**24):
        parts.append(part)
        if (size := size + len(part)) > MAX_BYTES:
            raise InputError(f"{name} holds more than {MAX_BYTES >> 30} GB", fix="write it as JSON Lines")
    return b"".join(parts)


def lines_of(stream: io.BufferedReader, limit: int) -> Iterator[tuple[int, int, bytes]]:
    r"""Yield the lines of a stream from its start, ended by \n and nothing else; a byte-order mark is skipped.

    Each is its number from 1, the offset of its first byte once unpacked, and its bytes with their line end: of a line
    that is `too_long` for the limit only the start.
    """
    offset = len(stream.read(3)) if stream.peek(3).startswith(BOM) else 0
    number = 0
    while line := stream.readline(limit + 2):
        number += 1
        yield number, offset, line
        offset += len(line)
        while len(line) > limit and not line.endswith(b"\n"):
            line = stream.readline(limit + 2)
            offset += len(line)


def too_long(line: bytes, limit: int) -> bool:
    """Return whether there are more bytes in a line of `lines_of` than its limit."""
    return len(line) > limit and len(line.rstrip(b"\r\n")) > limit


def size(count: int) -> str:
    """Return a limit in words: `16 MB`."""
    return f"{count >> 20} MB" if count % 2**20 == 0 else f"{count} bytes"


def utf8(data: bytes, where: str, offset: int = 0) -> str:
    """Decode bytes that are at that offset of their file. Raises EncodingError with the byte that is wrong."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = _encoding_of(data)
        what = f"not UTF-8 at byte {offset + error.start} (0x{data[error.start]:02x})"
        what, fix = (what, _iconv(found)) if found else (f"{what}: not text, it seems", _TEXT)
        raise EncodingError(f"{where}: {what}", fix=fix) from error
    if "\0" in text:
        what = f"a NUL at byte {offset + data.index(0)}: binary, or UTF-16"
        raise EncodingError(f"{where}: {what}", fix=_iconv("utf-16"))
    return text


def _iconv(encoding: str) -> str:
    return f"iconv -f {encoding} -t utf-8 FILE > NEW"


_TEXT = "give text in UTF-8 (lines, CSV or JSON Lines), or Parquet or Arrow"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


_KANA = re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x96]|\x81[\x41-\x5b]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_CHINESE = re.compile("[\u4e00-\u9fff\u3001\u3002\uff01-\uff5e]")


def _encoding_of(data: bytes) -> str | None:
    """Return the encoding that bytes which are not UTF-8 are probably in, by its marks; None where they are not text.

    UTF-16 begins with a mark, or every other byte is 0; Shift JIS has kana; GB 18030 has Chinese letters in a row;
    cp1252 uses the bytes from 0x80 to 0x9f (curly quotes, dashes, the euro sign), which latin1 does not. Text has no
    control characters but tabs, line ends and escapes.
    """
    if data.startswith(UTF16) or b"\0" in data[:4]:
        return "utf-16"
    if _CONTROL.search(data[:_GUESSED_FROM]):
        return None
    runs = _HIGH.findall(data[:_GUESSED_FROM])
    high = sum(map(len, runs))
    if 4 * len(_KANA.findall(data[:_GUESSED_FROM])) > high > 4:
        return "shift_jis"
    chinese = [run.decode("gb18030", "replace") for run in runs if len(run) >= 4]
    if 2 * sum(len(_CHINESE.findall(text)) for text in chinese) > 0.8 * high:
        return "gb18030"
    return "cp1252" if re.search(rb"[\x80-\x9f]", data) else "latin1"


_GUESSED_FROM = 2**16  # bytes


def _start(stream: io.BufferedReader, name: str, path: str | Path) -> bytes:
    """Return the first bytes of a stream, which stays where it is; close it if they can't be read or are refused."""
    try:
        start = stream.peek(LOOKED_AT)[:LOOKED_AT]
        if found := foreign_file(start, suffix_of(path)):
            raise InputError(f"{name} is {found[0]}", fix=found[1])
    except InputError:
        stream.close()
        raise
    return start


class _Stream(io.RawIOBase):
    """A stream made of a read function, with InputError for what goes wrong; `packed` is what it unpacks, in limits."""

    def __init__(
        self, read: Callable[[int], bytes], close: Callable[[], object], name: str, packed: _Stream | None = None
    ) -> None:
        self._read, self._close, self._name, self.packed, self.passed = read, close, name, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._read(len(buffer))
        except (EOFError, zlib.error, OSError, ValueError) as error:
            if not self.packed:
                what = getattr(error, "strerror", None) or error
                raise InputError(f"{self._name} can't be read: {what}") from error
            what = f"is cut off or damaged after {self.passed} unpacked bytes: {one_line(error)}"
            raise InputError(f"{self._name} {what}", fix="fetch or write it again") from error
        self.passed += len(data)
        if self.packed:
            check_size(self.passed, self.packed.passed, self._name)
            if self.passed > MAX_BYTES:
                raise InputError(f"{self._name} unpacks to more than {MAX_BYTES >> 30} GB", fix=UNPACK)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._close()
