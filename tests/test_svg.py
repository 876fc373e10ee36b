"""Figures are the same for the same input, whatever the user's matplotlib is set to, and leave its settings alone."""

from __future__ import annotations

import sys

import matplotlib
import pytest

from pairforge.errors import InputError
from pairforge.svg import figure_svg, require_matplotlib


def test_figures_do_not_depend_on_settings_of_the_user() -> None:
    plain = figure_svg("A $title$", [lambda axes: axes.plot([1, 2], [3, 4])])
    assert plain.startswith("<svg") and "<dc:date>" not in plain and "A $title$" in plain
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": False}):
        assert figure_svg("A $title$", [lambda axes: axes.plot([1, 2], [3, 4])]) == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_a_missing_matplotlib_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    require_matplotlib("--svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="--svg needs matplotlib, which is not installed") as error:
        require_matplotlib("--svg")
    assert error.value.fix == 'pip install "pairforge[plot]"'
