"""A plug is found by module:attr or file.py:attr; what is wrong with the name is said."""

import sys
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
        ("polite", "'polite' is not the name of a function .*FILE.py:FUNCTION"),
        ("nowhere.py:f", "no file"),
        ("no_such_module:f", "no module"),
        ("math:tau2", "has no 'tau2'"),
        (".polite:f", r"\.polite is a relative name"),
    ],
)
def test_what_is_wrong_is_said(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(name)


def test_a_file_may_hold_dataclasses_and_hides_no_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "random.py"
    file.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Rule:\n    weight: float = 0.5\nrule = Rule()\nprint('noise')\n"
    )
    import random

    assert load(f"{file}:rule").weight == 0.5
    assert sys.modules["random"] is random and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(:", "broken.py:1: invalid syntax"),
        ("x = 1\nopen('nowhere.txt')", "broken.py:2: FileNotFoundError"),
        ("x = 1\nx.real_", "broken.py:2: AttributeError"),
        ("import json\n\njson.loads('')", "broken.py:3: JSONDecodeError"),
        ("import sys\nsys.exit(3)", r"broken.py:2: SystemExit\(3\)"),
        ("from . import x", "broken.py:1: ImportError"),
        ("import no_such_module", "no module 'no_such_module' for .*broken.py"),
    ],
)
def test_what_a_module_raises_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    before = set(sys.modules)
    with pytest.raises(InputError, match=says) as caught:
        load(f"{tmp_path}/broken.py:f")
    assert "\n" not in str(caught.value) and not [name for name in set(sys.modules) - before if "broken" in name]
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=says.replace("for .*broken.py", "for broken")):
        load("broken:f")
