"""Files that hold no rows are named for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairforge.errors import InputError
from pairforge.prompts import read_prompts

PAGE = b"<!DOCTYPE html>\n<html><title>Sign in</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("q.jsonl", PAGE, r"a web page \(HTML\), not the data .*login"),
        ("q.csv", b"\xef\xbb\xbf\n " + PAGE.lower(), "a web page"),
        ("q.txt", POINTER, "a pointer of Git LFS.*git lfs pull"),
        ("q.parquet", POINTER, "a pointer of Git LFS"),
        ("q.xlsx", b"PK\x03\x04...", "a spreadsheet .*as CSV"),
        ("q.docx", b"PK\x03\x04...", "a document"),
        ("q.txt", b"%PDF-1.7\n1 0 obj", "a document"),
        ("old.xls", b"\xd0\xcf\x11\xe0" + bytes(99), "a spreadsheet"),
        ("q.dat", b"SQLite format 3\0" + bytes(99), "a database .*CSV"),
        ("q.png", b"\x89PNG\r\n\x1a\n", "an image"),
        ("q.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("q.gguf", b"GGUF\3", "a file of weights .*-m"),
        ("q.yaml", b"prompts:\n  - Hi\n", "not a format that is read"),
        ("q.ipynb", b'{"cells": []}', "a notebook"),
        ("q.dat", bytes(range(128, 256)) + bytes(range(1, 9)), "not text, it seems .*UTF-8"),
        ("q.csv", b"Who are you?\nHi\n", "the first line of a table names its columns"),
        ("q.jsonl", b"Entry not found", "not valid JSON: .* which begins with 'Entry not found'"),
    ],
)
def test_what_a_file_is_and_what_to_do(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_prompts(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "data"),
    [("q.yaml", b'{"prompt": "Hi"}\n'), ("q.txt", b"What does <html> mean?\n"), ("q.md", b"Hi\n")],
)
def test_rows_are_read_whatever_the_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert len(read_prompts(tmp_path / name)) == 1
