"""pairforge.json: written and read again, and what a stranger may have written is refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pairforge.errors import InputError
from pairforge.hub.manifest import DataConfig, DataFile, DataSplit, Manifest

FILE = DataFile("correction/train-00000-of-00001.parquet", 3, 100, "0" * 64)
CONFIG = DataConfig("pairs", 3, "a" * 64, {"train": DataSplit(3, (FILE,))}, methods=("correct",))
MANIFEST = Manifest({"correction": CONFIG}, "correction")


def test_what_is_written_is_read_again() -> None:
    assert Manifest.read(MANIFEST.text(), "me/p") == MANIFEST
    assert [*MANIFEST.files] == [FILE]
    assert json.loads(MANIFEST.text())["pairforge"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "newer pairforge"),
        ({"default": "../x"}, r"\$\.default"),
        ({"configs": {}}, r"\$\.configs"),
        ({"configs": {"x": {"kind": "pairs"}}}, "'rows' is a required property"),
        ({"configs": 3}, r"\$\.configs"),
        ({"default": "other"}, "other"),
    ],
)
def test_a_wrong_manifest_is_one_line(change: dict[str, Any], said: str) -> None:
    text = json.dumps(json.loads(MANIFEST.text()) | change)
    with pytest.raises(InputError, match=said) as raised:
        Manifest.read(text, "me/p")
    assert str(raised.value).startswith("me/p: ")


@pytest.mark.parametrize(
    "path",
    [
        "../x-00000-of-00001.parquet",
        "/etc/passwd",
        "README.md",
        "a/b/c-00000-of-00001.parquet",
        "a/b.parquet",
        "data/a-00000-of-00001.parquet\\n",
    ],
)
def test_only_data_files_are_named(path: str) -> None:
    with pytest.raises(InputError, match="does not match"):
        Manifest.read(MANIFEST.text().replace(FILE.path, path), "me/p")


@pytest.mark.parametrize("rows", ["3.0", "1e400", "-1", "true", "9" * 30, "NaN"])
def test_a_number_of_rows_is_one_that_a_file_can_have(rows: str) -> None:
    with pytest.raises(InputError, match="me/p"):
        Manifest.read(MANIFEST.text().replace('"rows": 3', f'"rows": {rows}'), "me/p")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[]", "\x00"])
def test_what_is_no_manifest_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="me/p"):
        Manifest.read(text, "me/p")
