"""Files are whole or absent, and what a disk does to a writer is said in one line."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pairforge.disk import json_object, write_atomic, write_json_lines
from pairforge.errors import InputError


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "new" / "x"
    write_atomic(file, "one")
    write_atomic(file, b"two")
    assert file.read_text() == "two" and os.listdir(file.parent) == ["x"]
    (tmp_path / "plain").write_text("")
    with pytest.raises(InputError, match="can't write"):
        write_atomic(tmp_path / "plain" / "x", "one")


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / f".x.{os.getpid()}.tmp").symlink_to(mine)
    write_atomic(tmp_path / "x", "one")
    assert (mine.read_text(), (tmp_path / "x").read_text()) == ("mine", "one")


def full_after(size: int) -> None:
    """In a child: files can't grow beyond `size` bytes, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("what", ["file", "store"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(tmp_path: Path, what: str) -> None:
    write = {
        "file": "from pairforge.disk import write_atomic; write_atomic(out / 'x', 'a' * 10**6)",
        "store": "from pairforge.store import Store; from pairforge.types import Answer\n"
        "Store(out).add_answers({}, {('p', i): Answer('a' * 1000, 'stop') for i in range(1000)})",
    }[what]
    code = f"""
from pathlib import Path
from pairforge.errors import OutsideError
out = Path({str(tmp_path)!r})
try:
    {write.replace(chr(10), chr(10) + "    ")}
except OutsideError as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: full_after(200_000),
    )
    assert f"disk full while writing {tmp_path}" in done.stdout, done.stderr
    assert "x" not in os.listdir(tmp_path) and not list(tmp_path.glob(".x*"))
    if what == "store":
        from pairforge.store import Store

        assert not Store(tmp_path).answers({})


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_json_file_that_is_damaged_holds_nothing(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    assert json_object(file) == {}
    file.write_text('{"a": 1}')
    assert json_object(file) == {"a": 1}


def test_json_lines_hold_half_characters_as_lost_ones(tmp_path: Path) -> None:
    file = tmp_path / "new" / "x.jsonl"
    write_json_lines(file, iter([{"a": "é\ud800"}, ["b"]]))
    assert file.read_text("utf-8") == '{"a": "é\ufffd"}\n["b"]\n'
