"""Files that can't hold rows: what they are, by their first bytes or their name, and what to do instead."""

from __future__ import annotations

LOOKED_AT = 64
"""How many bytes of a file are looked at."""

UNPACK = "unpack it, and give the file that was in it"
_PICKLE = ("a pickle, which could run code", "write it as JSON Lines")
_SHEET = ("a spreadsheet", "save it as CSV, and give that file")
_DOCUMENT = ("a document, not a file of rows", "write its text into a file: text lines, CSV or JSON Lines")
_IMAGE = ("an image", "give text lines, CSV or JSON Lines")
_PAGE = (
    "a web page (HTML), not the data",
    "fetch the file itself: where a login is needed or a link is wrong, a server answers with a page",
)
_POINTER = ("a pointer of Git LFS, not the file itself", "fetch it: git lfs pull")
_WEIGHTS = ("a file of weights", "name the model by its folder, with -m")
_DATABASE = ("a database", "export the table as CSV")
_STRUCTURE = ("not a format that is read", "write it as JSON Lines or CSV")

_STARTS = {
    b"PK\x03\x04": ("a zip archive", UNPACK),
    b"PK\x05\x06": ("a zip archive", UNPACK),
    b"BZh": ("packed with bzip2", UNPACK),
    b"\xfd7zXZ\x00": ("packed with xz", UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", UNPACK),
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    b"%PDF-": _DOCUMENT,
    b"{\\rtf": _DOCUMENT,
    b"\xd0\xcf\x11\xe0": ("a file of an old Office program", "save it as CSV or as plain text"),
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), _IMAGE),
    b"SQLite format 3": _DATABASE,
    b"\x89HDF": ("an HDF5 file", "write it as JSON Lines or Parquet"),
    b"GGUF": _WEIGHTS,
    b"version https://git-lfs.github.com/": _POINTER,
}
_CODE = {
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth"), _PICKLE),
    ".py": ("a script, and data is never run", "run it yourself, and give the file that it writes"),
}
"""By the name alone, whatever the file holds."""
_NAMES = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".odt", ".rtf", ".pptx"), _DOCUMENT),
    **dict.fromkeys((".safetensors", ".gguf"), _WEIGHTS),
    **dict.fromkeys((".yaml", ".yml", ".toml", ".xml"), _STRUCTURE),
    **dict.fromkeys((".html", ".htm"), _PAGE),
    ".ipynb": ("a notebook", "have it write the rows as JSON Lines, and give that file"),
}


def code_file(suffix: str) -> tuple[str, str] | None:
    """Return what a file with this ending is, and what to do, where it holds code and is never opened."""
    return _CODE.get(suffix)


def foreign_file(start: bytes, suffix: str) -> tuple[str, str] | None:
    """Return what a file is that holds no rows, and what to do; None for any other.

    Args:
        start: The first bytes of the file.
        suffix: How its name ends, in small letters: ".xlsx".
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return _PAGE
    found = next((what for sign, what in _STARTS.items() if start.startswith(sign)), None)
    if suffix in (".ipynb", ".pt", ".pth") or not text.startswith((b"{", b"[")):  # JSON, whatever its name
        return found if found in (_POINTER, _PICKLE) else _NAMES.get(suffix, found)
    return found
