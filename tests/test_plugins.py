"""A plug is found by module:attr or file.py:attr; what is wrong with the name is said."""

from pathlib import Path

import pytest

from pairforge.errors import InputError
from pairforge.plugins import load


def test_from_a_file_and_from_a_module(tmp_path: Path) -> None:
    (tmp_path / "polite.py").write_text("def polite(): return 7")
    assert load(f"{tmp_path}/polite.py:polite")() == 7
    assert load("math:pi") > 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("polite", "names no plug"),
        ("nowhere.py:f", "no file"),
        ("no_such_module:f", "no module"),
        ("math:tau2", "has no 'tau2'"),
    ],
)
def test_what_is_wrong_is_said(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(name)
