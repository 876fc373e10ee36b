"""The learning curves: what is drawn, that no name in it is more than a name, and that a gap is left out."""

from __future__ import annotations

import math
import sys
from xml.etree import ElementTree

import pytest

from pairforge import InputError
from trainers.learning_curves import draw

SVG = "{http://www.w3.org/2000/svg}"
LOG = [
    {
        "step": 5,
        "loss": 2.0,
        "rewards/margins": 0.1,
        "rewards/accuracies": 0.5,
        "logps/chosen": -30,
        "logps/rejected": -9,
    },
    {
        "step": 10,
        "loss": 1.0,
        "rewards/margins": 1.1,
        "rewards/accuracies": 1.0,
        "logps/chosen": -20,
        "logps/rejected": -9,
    },
    {"step": 10, "train_runtime": 3.0},
]


def texts(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def words(picture: str) -> list[str]:
    """The texts but the numbers of the axes."""
    return [text for text in texts(picture) if not text.replace(".", "").replace("−", "").isdigit()]


def test_each_question_has_a_panel() -> None:
    picture = draw(LOG)
    titles = ["loss", "reward margin", "reward accuracy", "log p since the start"]
    assert words(picture) == [*titles, "chosen", "rejected", "Training"]
    assert "10" in texts(picture), "ten nats gained"
    assert "guard" not in picture
    assert draw(LOG) == picture, "the same input gives the same bytes"


def test_the_guard_s_numbers_have_theirs_and_its_alarm_a_line() -> None:
    records = [{"step": step, "broken": step / 10, "sample": "Deep <Deep>", "ok": True} for step in (0, 10)]
    picture = draw(LOG, records, alarm=10)
    assert words(picture)[-1] == "Training, stopped by the guard at step 10"
    assert words(draw(LOG, records, alarm=10, stopped=False))[-1] == "Training, guard alarm at step 10"
    assert words(picture)[-2] == "guard: broken" and "Deep" not in picture
    assert picture.count('id="alarm-') == 5


def test_names_are_escaped_and_what_is_not_a_number_is_left_out() -> None:
    picture = draw(
        [{"step": 1, "loss": math.nan}, {"step": 2, "loss": math.inf}, {"step": 3, "loss": 1e308}],
        [{"step": 1, "<b>& $x$ \x1b\ud800\u202e 名": 1.0}],
    )
    assert words(picture) == ["guard: <b>& $x$ \\x1b\\ud800\\u202e 名", "Training"]
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
