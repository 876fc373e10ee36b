"""Rows that a user gives in Python: a list, a pandas or polars DataFrame, an Arrow table, a `datasets.Dataset`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InputError
from ..text import one_line


def rows_given(data: Any, what: str = "rows") -> Iterable[Any]:
    """Return the rows of `data`; in those of a DataFrame a missing value (NaN, NaT, NA) is None.

    The kind of a table is recognised by its methods, so that no library is imported. Raises InputError for what has no
    rows; `what` names the rows in its message.
    """
    if isinstance(data, Mapping):
        if splits := [str(name) for name, split in data.items() if hasattr(split, "column_names")]:
            fix = f'give one of them, e.g. data["{splits[0]}"]'
            raise InputError(f"{what}: this holds several splits: {', '.join(splits)}", fix=fix)
        raise InputError(f"{what}: this is one dict, not a list", fix="put it into a list: [row]")
    if hasattr(data, "iterrows") and hasattr(data, "to_dict"):
        return [{str(name): _plain(value) for name, value in row.items()} for row in data.to_dict("records")]
    for method in ("to_dicts", "to_pylist"):  # of polars, of Arrow
        if hasattr(data, method):
            rows: list[Any] = getattr(data, method)()
            return rows
    if isinstance(data, bytes) or not hasattr(data, "__iter__"):
        fix = "give a path, a list, a DataFrame or a Dataset"
        raise InputError(f"{what}: {one_line(repr(data), 60)} holds no rows", fix=fix)
    return data  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: arrays of numpy, as pandas reads them from Parquet, become lists."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    try:
        return value if bool(value == value) else None
    except (TypeError, ValueError):  # pandas.NA
        return None


def is_given(data: Any) -> bool:
    """Return True for rows themselves, False for a text or path that names them."""
    return data is not None and not isinstance(data, str) and not hasattr(data, "__fspath__")
