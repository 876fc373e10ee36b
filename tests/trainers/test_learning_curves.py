"""The curves: what is drawn, that nothing in it can act, and that a gap in the log is none in the picture."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from trainers.learning_curves import draw

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


def titles(picture: str) -> list[str]:
    ElementTree.fromstring(picture)
    return re.findall(r'class="name"[^>]*>([^<]*)<', picture)


def test_each_question_has_a_panel() -> None:
    picture = draw(LOG)
    assert titles(picture) == ["loss", "reward margin", "reward accuracy", "log p since the start"]
    assert ">chosen<" in picture and ">rejected<" in picture
    assert ">10.5<" in picture, "ten nats gained, and a little room"
    assert "guard" not in picture


def test_the_guard_s_numbers_have_theirs_and_its_alarm_a_line() -> None:
    records = [{"step": step, "broken": step / 10, "sample": "Deep <Deep>", "ok": True} for step in (0, 10)]
    picture = draw(LOG, records, alarm=10)
    assert titles(picture)[4:] == ["guard: broken"]
    assert picture.count('class="alarm"') == 5
    assert "stopped by the guard at step 10" in picture


def test_names_are_escaped_and_what_is_no_number_is_left_out() -> None:
    picture = draw([{"step": 1, "loss": math.nan}, {"step": 2, "loss": math.inf}], [{"step": 1, "<b>&": 1.0}])
    assert titles(picture) == ["guard: &lt;b&gt;&amp;"]
    assert "nan" not in picture and "inf" not in picture
    assert titles(draw([])) == []
    assert "circle" in draw([{"step": 3, "loss": 1.0}]), "a single point is seen"
