"""The learning curves: what is drawn, that no name in it is more than a name, and that a gap is left out."""

from __future__ import annotations

import math
import sys
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pairforge import InputError
from pairforge.learning_curves import draw
from trainers.guard.signals import Limits, Record

SVG = "{http://www.w3.org/2000/svg}"
LOG = [
    {
        "step": 5,
        "loss": 2.0,
        "rewards/margins": 0.1,
        "rewards/accuracies": 0.5,
        "rewards/chosen": 1.2,
        "rewards/rejected": 0.0,
    },
    {
        "step": 10,
        "loss": 1.0,
        "rewards/margins": 1.1,
        "rewards/accuracies": 1.0,
        "rewards/chosen": 2.0,
        "rewards/rejected": -0.4,
    },
    {"step": 10, "train_runtime": 3.0},
]


def texts(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def words(picture: str) -> list[str]:
    """The texts but the numbers of the axes."""
    return [text for text in texts(picture) if not text.replace(".", "").replace("−", "").isdigit()]


def lines(picture: str, kind: str = "line") -> dict[str, list[tuple[float, float]]]:
    """The points of each line, in the picture's own units."""
    found = {}
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        if group.get("id", "").startswith(f"{kind}-"):
            [path] = group.findall(f"{SVG}path")
            numbers = [float(word) for word in path.get("d", "").split() if word not in "MLz"]
            found[str(group.get("id"))] = [*zip(numbers[::2], numbers[1::2], strict=True)]
    return found


def test_each_question_has_a_panel() -> None:
    picture = draw(LOG, beta=0.2, title="run: pocket: PASS")
    titles = ["loss", "reward margin", "reward accuracy", "log p since step 0 (nats)"]
    shown = words(picture)
    assert [text for text in shown if text != "step"] == [*titles, "chosen", "rejected", "Training, run: pocket: PASS"]
    assert shown.count("step") == 4
    assert "guard" not in picture
    assert draw(LOG, beta=0.2, title="run: pocket: PASS") == picture, "the same input gives the same bytes"
    assert "log p" not in draw(LOG), "without beta nobody knows"


def test_log_p_is_measured_against_step_0_and_not_against_the_first_step_that_was_logged() -> None:
    """At step 5 the chosen side has gained 1.2 / 0.2 = 6 nats, at step 10 it has gained 10."""
    [start, first, last] = lines(draw(LOG, beta=0.2))["line-3-0"]
    assert (first[0] - start[0]) / (last[0] - start[0]) == pytest.approx(0.5)
    assert (first[1] - start[1]) / (last[1] - start[1]) == pytest.approx(0.6)
    assert first[1] < start[1], "up is less in an SVG"


def test_the_guard_s_signals_have_theirs_with_their_limits_and_its_alarm_a_line() -> None:
    records = [{"step": step, "broken": step / 100, "chosen": -step / 20, "sample": "Deep <Deep>"} for step in (0, 10)]
    limits = vars(Limits())
    picture = draw(LOG, records, alarm=10, limits=limits)
    assert words(picture)[-1] == "Training, stopped by the guard at step 10"
    assert words(draw(LOG, records, alarm=10, stopped=False))[-1] == "Training, guard alarm at step 10"
    guards = [text for text in words(picture) if text.startswith("guard")]
    assert guards == ["guard: broken (share)", "guard: displaced (nats/token)"] and "Deep" not in picture
    assert picture.count('id="alarm-') == 5
    assert picture.count('id="limit-') == 2
    [(_, limit), _] = lines(picture, "limit")["limit-4"]
    [_, (_, lost)] = lines(picture)["line-4-0"]
    assert lost == pytest.approx(limit), "displaced is what chosen lost: 0.5, its limit"


def test_each_panel_of_the_guard_is_in_the_docs() -> None:
    names = {field.name for field in fields(Record)} - {"step", "sample"}
    picture = draw([], [dict.fromkeys(names, 0.5) | {"step": 1}])
    guards = {text.split()[1] for text in words(picture) if text.startswith("guard")}
    assert {*vars(Limits())} <= guards
    text = (Path(__file__).parents[1] / "docs" / "guard.md").read_text("utf-8")
    assert not [name for name in guards if f"| {name} |" not in text]


def test_names_are_escaped_and_what_is_not_a_number_is_left_out() -> None:
    picture = draw(
        [{"step": 1, "loss": math.nan}, {"step": 2, "loss": math.inf}, {"step": 3, "loss": 1e308}],
        title="<b>& $x$ \x1b\ud800\u202e 名",
    )
    assert words(picture) == ["Training, <b>& $x$ \\x1b\\ud800\\u202e 名"]
    assert "nan" not in picture and "inf" not in picture
    assert words(draw([])) == ["Training"]
    line = ElementTree.fromstring(draw([{"step": 3, "loss": 1.0}])).find(f".//{SVG}g[@id='line-0-0']")
    assert line is not None and list(line.iter(f"{SVG}use")), "a single point is seen"


def test_without_matplotlib_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        InputError, match=r'needs matplotlib, which is not installed \(pip install "pairforge\[plot\]"\)'
    ):
        draw(LOG)
