"""TRL's flags as its source files declare them are those of its own parser."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainers import flags, known_flags
from trainers.known_flags import Flag, loss_types, trl_flags


def test_they_are_the_flags_of_the_installed_trl() -> None:
    known = trl_flags()
    assert known is not None
    actions = {action.dest: action for action in flags.parser({})._actions}
    own = {one.name for one in flags.OWN}
    assert {*known} == {*actions} - own - {"help"}
    for name, flag in known.items():
        if flag.choices and actions[name].choices:
            assert {*flag.choices} == {*map(str, actions[name].choices)}, name
        if actions[name].nargs == "+":
            assert flag.many, name


def test_the_losses_are_those_that_trl_computes() -> None:
    assert {"sigmoid", "sft", "ipo", "robust"} <= {*loss_types()}


def test_declared_in_another_way_they_are_unknown_and_left_to_trl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_flags, "_source", lambda file: "class DPOConfig(Elsewhere): ...")
    known_flags.trl_flags.cache_clear()
    try:
        assert trl_flags() is None
        given = flags.Given.of(["--unheard_of", "1", "--dataset", "mine.jsonl", "--guard", "warn"])
        assert given.values == {"dataset_name": "mine.jsonl", "guard": "warn"}
    finally:
        known_flags.trl_flags.cache_clear()


@pytest.mark.parametrize(
    ("flag", "good", "bad"),
    [
        (Flag("a", kind=int), "7", "7.5"),
        (Flag("a", kind=float), "1e-3", "x"),
        (Flag("a", kind=float), "none", ""),
        (Flag("a", kind=bool), "False", "maybe"),
        (Flag("a", choices=("no", "steps")), "no", "step"),
        (Flag("a", kind=None, choices=("no", "steps")), "steps", "epoch"),
    ],
)
def test_a_value_that_can_not_be(flag: Flag, good: str, bad: str) -> None:
    assert flag.wrong(good) is None
    assert flag.wrong(bad)
