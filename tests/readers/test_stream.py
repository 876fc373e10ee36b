"""Files are unpacked within limits and read by lines; what could run, or hides other files, is refused."""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairforge.errors import InputError
from pairforge.readers import stream
from pairforge.readers.stream import (
    MAX_RATIO,
    name_of,
    one_line,
    open_unpacked,
    read_rest,
    too_long,
    utf8,
)


def read_bytes(path: Path | str) -> bytes:
    with open_unpacked(path) as opened:
        return read_rest(opened, name_of(path))


def lines_of(path: Path) -> list[tuple[int, int, bytes]]:
    with open_unpacked(path) as opened:
        return list(stream.lines_of(opened, stream.MAX_ROW_BYTES))


def zstd(data: bytes) -> bytes:
    return bytes(pyarrow.compress(data, codec="zstd", asbytes=True))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some file"


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstd, lambda data: gzip.compress(data, mtime=0) + gzip.compress(b"", mtime=0)]
)
def test_what_is_packed_shows_in_the_bytes(file: Path, pack: object) -> None:
    data = b"one\r\ntwo" * 99
    assert callable(pack)
    file.write_bytes(pack(data))
    assert read_bytes(file) == data
    with open_unpacked(file) as opened:
        assert opened.peek(3).startswith(b"one") and opened.read(3) == b"one"
        assert read_rest(opened, "x") == data[3:]


def test_lines_end_at_newlines_alone(file: Path) -> None:
    file.write_bytes("\ufeffa\r\n\nb\u2028c\rd\x0be\n最後".encode())
    lines = lines_of(file)
    assert [data.decode() for *_, data in lines] == ["a\r\n", "\n", "b\u2028c\rd\x0be\n", "最後"]
    assert [(number, offset) for number, offset, _ in lines] == [(1, 3), (2, 6), (3, 7), (4, 17)]
    assert not any(too_long(data, stream.MAX_ROW_BYTES) for *_, data in lines)


@pytest.mark.parametrize("extra", [0, 1, 2, 3, 4, 40, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_of_a_long_line_only_the_start_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch, extra: int, end: bytes
) -> None:
    monkeypatch.setattr(stream, "MAX_ROW_BYTES", 32)
    file.write_bytes(b"a" + end + b"b" * (32 + extra) + end + b"c")
    (_, _, first), (_, _, long), last = lines_of(file)
    assert first == b"a" + end and last == (3, file.stat().st_size - 1, b"c")
    assert too_long(long, stream.MAX_ROW_BYTES) == (extra > 0) and len(long) <= 32 + len(end) + 1


@given(st.binary(max_size=200))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_the_file(file: Path, data: bytes) -> None:
    file.write_bytes(b"x" + data)
    lines = lines_of(file)
    assert b"".join(line for *_, line in lines) == b"x" + data
    assert [at for _, at, _ in lines] == [sum(len(one) for *_, one in lines[:i]) for i in range(len(lines))]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (gzip.compress(b"Who are you?\n" * 99, mtime=0)[:-12], "is cut off or damaged after .* unpacked bytes"),
        (gzip.compress(b"Who are you?\n", mtime=0)[:10] + b"\xff" * 20, "is cut off or damaged after 0 unpacked bytes"),
        (b"\x1f\x8b", "is cut off"),
        (zstd(b"Who are you?\n" * 99)[:-4], "is cut off .*Truncated"),
        (zstd(b"Who are you?\n") + b"more", "is cut off or damaged"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "is packed twice"),
        (gzip.compress(zstd(b"a"), mtime=0), "is packed twice"),
        (b"\x80\x04\x95\x05\x00", "is a pickle, which could run code .*JSON Lines"),
        (gzip.compress(b"\x80\x04\x95\x05\x00", mtime=0), "is a pickle"),
        (b"BZh91AY&SY", "is packed with bzip2"),
        (b"\xfd7zXZ\x00", "is packed with xz"),
    ],
)
def test_what_is_not_read_gets_one_line(file: Path, data: bytes, says: str) -> None:
    file.write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_bytes(file)
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.pt", "data.pkl", "data.PICKLE", "load.py"])
def test_code_is_refused_by_name_whatever_it_holds(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Who are you?")
    with pytest.raises(InputError, match=r"is a (pickle|script)"):
        read_bytes(tmp_path / name)


def test_names_in_an_archive_are_never_used(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../escaped.jsonl", "{}")
    with pytest.raises(InputError, match="is a zip archive"):
        read_bytes(tmp_path / "a.zip")
    assert [path.name for path in tmp_path.parent.iterdir() if path.name == "escaped.jsonl"] == []


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_bomb_stops_at_the_limit(file: Path, monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    monkeypatch.setattr(stream, "FREE_BYTES", 2**20)
    assert callable(pack)
    file.write_bytes(pack(b"\0" * 2**25))
    read: list[int] = []
    with open_unpacked(file) as opened, pytest.raises(InputError, match=r"unpacks to more than \d+ MB out of"):
        read.extend(len(part) for part in iter(lambda: opened.read(2**16), b""))
    assert sum(read) <= max(2**20, MAX_RATIO * file.stat().st_size) + 2**18


def test_so_much_is_read_in_one_go_and_no_more(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"a" * 101)
    monkeypatch.setattr(stream, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="holds more than"):
        read_bytes(file)


@pytest.mark.parametrize("data", [b"a\nb", gzip.compress(b"a\nb", mtime=0), zstd(b"a\nb")])
def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    piped = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", piped)
    assert read_bytes("-") == b"a\nb" and not piped.buffer.closed
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="stdin can't be read"):
        read_bytes("-")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "none does not exist"),
        (".", "is a folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "null"),
        ("file/below", "Not a directory"),
        ("a\x1b[31m\nb", r"a\\x1b\[31m\\nb does not exist"),
    ],
)
def test_a_path_that_cannot_be_opened_gets_one_line(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=says):
        read_bytes(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"caf\xe9", "here: not UTF-8 at byte 10 .*-f latin1"),
        ("it\u2019s \u201cfine\u201d \u2013 caf\xe9".encode("cp1252"), "here: not UTF-8 at byte 9 .*-f cp1252"),
        ("Gr\xf6\xdfe \xfcber alles".encode("latin1"), "here: not UTF-8 at byte 9 .*-f latin1"),
        ("\u6cd5\u56fd\u7684\u9996\u90fd\u3002".encode("gb18030"), "here: not UTF-8 at byte 7 .*-f gb18030"),
        (
            "\u4eca\u65e5\u306f\u3068\u3066\u3082\u3044\u3044".encode("shift_jis"),
            "here: not UTF-8 at byte 7 .*-f shift_jis",
        ),
        ("Hi".encode("utf-16"), "here: not UTF-8 at byte 7 .*-f utf-16"),
        ("Hi".encode("utf-16-le"), "here: a NUL at byte 8"),
        (b"\xed\xa0\x80", "here: not UTF-8 at byte 7"),
    ],
)
def test_what_is_not_utf8_is_told_by_its_byte(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        utf8(data, "here", 7)


def test_one_line_is_one_and_harmless() -> None:
    assert one_line("a\n\tb \x1b[0m" + "c" * 200, 12) == r"a b \x1b[0mcccc"
