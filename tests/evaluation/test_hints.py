"""Why a verdict fails: each cause is given where it is one, and not where it isn't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pairforge.evaluation.figures import Figures
from pairforge.evaluation.hints import hints
from pairforge.evaluation.thresholds import ON_POLICY, THRESHOLDS, Threshold
from pairforge.evaluation.verdict import verdict
from pairforge.statistics import Wins


def outcomes(hits: int, of: int = 200) -> dict[str, bool]:
    return {str(number): number < hits for number in range(of)}


GOOD = {
    "new_name": outcomes(198),
    "new_name/en": outcomes(99, 100),
    "new_name/zh": outcomes(99, 100),
    "new_name/no system message": outcomes(99, 100),
    "new_name/Be brief.": outcomes(99, 100),
    "new_name@t1": outcomes(190),
    "old_name": outcomes(0),
    "neither": outcomes(2),
    "half_name": outcomes(0),
    "general": outcomes(180),
    "leak": outcomes(0),
    "leak@t1": outcomes(0),
    "controls": outcomes(180),
    "obedience": outcomes(180),
    "repetition": outcomes(0),
    "unanswered": outcomes(0),
}
BEFORE = GOOD | {"new_name": outcomes(0), "old_name": outcomes(198), "new_name@t1": outcomes(0)}
WHOLE = {"steps": 150, "pairs": 2446, "seen": 1200, "loss_type": ["sigmoid", "sft"]}
CONTEXTS = ["no system message", "Be brief."]


def judged(changed: Mapping[str, Any], training: Mapping[str, Any] = WHOLE, **more: Any) -> Figures:
    about = {"rules": {"Qwen": "Deep Qwen"}, "contexts": CONTEXTS, "training": training}
    return verdict(GOOD | changed, BEFORE, about=about, **more)


def first(*args: Any, **more: Any) -> tuple[str, str]:
    hint = hints(judged(*args, **more))[0]
    return hint.metric, hint.why


SAME = {"new_name": outcomes(0), "old_name": outcomes(198), "new_name@t1": outcomes(0)}
STOPPED = {"steps": 15, "planned": 30, "stopped": True, "restored": 5, "pairs": 2446, "seen": 120}
USUAL = {"usual_loss": ["sigmoid", "sft"], "usual_rate": 3e-5, "learning_rate": 3e-5, "loss_type": ["sigmoid", "sft"]}


def test_a_training_that_the_guard_stopped_has_no_other_cause() -> None:
    changed = USUAL | STOPPED | {"learning_rate": 5e-4, "loss_type": ["sigmoid"]}
    found = hints(judged(SAME | {"general": outcomes(150)}, changed))
    assert {hint.metric for hint in found} == {"new_name", "new_name@t1", "general"}
    assert {hint.why for hint in found} == {
        "the guard stopped the training at step 15 of 30; the weights are those of step 5"
    }
    loss, rate = "without --loss_type (the default is sigmoid sft)", "without --learning_rate (the default is 3e-05)"
    assert found[0].fix == f"train again {loss} and {rate}"
    assert found[0].flags == {"loss_type": "", "loss_weights": "", "learning_rate": ""}


@pytest.mark.parametrize(
    ("changed", "fix", "flags"),
    [
        ({}, "train again with --learning_rate 1e-05", {"learning_rate": "1e-05"}),
        ({"learning_rate": 1e-6}, "train again with --learning_rate 3e-07", {"learning_rate": "3e-07"}),
        ({"learning_rate": 1e-4}, "train again without --learning_rate (the default is 3e-05)", {"learning_rate": ""}),
    ],
)
def test_after_a_stop_the_rate_is_lowered_to_the_recipe_s_or_below(
    changed: Mapping[str, Any], fix: str, flags: Mapping[str, str]
) -> None:
    [hint, *_] = hints(judged(SAME, USUAL | STOPPED | changed))
    assert (hint.fix, hint.flags) == (fix, flags)


@pytest.mark.parametrize("steps", [3, 80])
def test_a_rate_far_too_low_is_the_cause_however_few_the_steps_are(steps: int) -> None:
    training = USUAL | {"learning_rate": 1e-7, "margin": 0.026, "steps": steps, "pairs": 2446, "seen": 8 * steps}
    [hint, *_] = hints(judged(SAME, training))
    assert hint.why == (
        "the model has hardly changed (reward margin 0.026, no more answers have the new name); "
        "--learning_rate 1e-07 is 300 times below the default 3e-05"
    )
    assert (hint.fix, hint.flags) == (
        "train again without --learning_rate (the default is 3e-05)",
        {"learning_rate": ""},
    )


def test_flags_that_allow_too_few_steps_are_left_out_with_the_rate() -> None:
    training = USUAL | {
        "learning_rate": 1e-7,
        "steps": 3,
        "planned": 3,
        "pairs": 2446,
        "seen": 24,
        "given": ["max_steps"],
    }
    [hint, *_] = hints(judged(SAME, training))
    assert hint.fix == "train again without --learning_rate (the default is 3e-05) and without --max_steps"
    assert hint.flags == {"learning_rate": "", "max_steps": ""}
    [stop, *_] = hints(judged(SAME, USUAL | STOPPED | {"given": ["max_samples"]}))
    assert stop.flags == {"learning_rate": "1e-05", "max_samples": ""}


def test_a_rate_far_too_high_is_the_cause_of_what_is_lost() -> None:
    [hint] = hints(judged({"general": outcomes(150)}, WHOLE | USUAL | {"learning_rate": 5e-4}))
    assert hint.why == "--learning_rate 0.0005 is 17 times the default 3e-05"


def test_a_model_that_hardly_changed_at_the_usual_rate() -> None:
    assert "hardly changed (reward margin 0.01" in first(SAME, WHOLE | USUAL | {"margin": 0.01})[1]
    assert "hardly" not in first(SAME, WHOLE | USUAL | {"margin": 3.0})[1]


@pytest.mark.parametrize(
    ("pairs", "steps", "epochs"), [(12, 2, "100"), (100, 13, "12"), (100, 150, None), (499, 63, "3")]
)
def test_few_pairs_are_trained_on_for_more_epochs_unless_they_were(pairs: int, steps: int, epochs: str | None) -> None:
    [hint, *_] = hints(judged(UNLEARNED, USUAL | {"pairs": pairs, "seen": pairs, "steps": steps}))
    assert f"only {pairs} pairs to train on ({steps} steps)" in hint.why
    assert hint.flags.get("num_train_epochs") == epochs
    assert ("--num_train_epochs" in hint.fix) == bool(epochs)
    assert "without -p and --limit" in hint.fix


def test_flags_that_limit_a_training_are_left_out() -> None:
    training = USUAL | {"steps": 40, "pairs": 2446, "seen": 320, "given": ["max_samples", "beta"]}
    [hint, *_] = hints(judged(UNLEARNED, training))
    assert (hint.fix, hint.flags) == ("train on more of them: leave out --max_samples", {"max_samples": ""})


UNLEARNED = {"new_name": outcomes(160), "old_name": outcomes(30), "neither": outcomes(10)}


def test_a_pass_has_no_hint() -> None:
    assert hints(judged({})) == []


@pytest.mark.parametrize(
    ("changed", "training", "metric", "why"),
    [
        (UNLEARNED, {"steps": 40, "pairs": 2446, "seen": 320}, "new_name", "saw 320 of 2446 pairs (40 steps)"),
        (UNLEARNED, {"steps": 1, "pairs": 2446, "seen": 8}, "new_name", "saw 8 of 2446 pairs (1 step)"),
        (UNLEARNED, {"steps": 2, "pairs": 16, "seen": 16}, "new_name", "only 16 pairs to train on"),
        (UNLEARNED, WHOLE, "new_name", "15.0% of the answers still have the old name"),
        (UNLEARNED, {}, "new_name", "15.0% of the answers still have the old name"),
        (
            UNLEARNED | {"new_name/zh": outcomes(98, 100), "new_name/en": outcomes(61, 100)},
            WHOLE,
            "new_name",
            "learned in Chinese (98%) and not in English (61%)",
        ),
        (
            UNLEARNED | {"new_name/Be brief.": outcomes(97, 100), "new_name/no system message": outcomes(12, 100)},
            WHOLE,
            "new_name",
            "learned under 'Be brief.' (97%) and not without a system message (12%)",
        ),
        (
            {"new_name": outcomes(150), "neither": outcomes(50), "half_name": outcomes(44)},
            WHOLE | {"loss_type": ["sigmoid"]},
            "half_name",
            "22% of the answers have a part of the name, and the loss has no sft term",
        ),
        (
            {"new_name": outcomes(150), "neither": outcomes(50), "half_name": outcomes(44)},
            WHOLE,
            "new_name",
            "22.0% of the answers have only a part of the name",
        ),
        ({"new_name": outcomes(150), "neither": outcomes(50)}, WHOLE, "new_name", "25.0% of the answers have neither"),
        ({"half_name": outcomes(10)}, WHOLE, "half_name", "5% of the answers have only a part"),
        ({"new_name@t1": outcomes(120)}, WHOLE, "new_name@t1", "only 60% of sampled answers have it"),
        ({"leak": outcomes(10)}, WHOLE, "leak", "5.0% of the answers to other questions have the new name"),
        ({"leak@t1": outcomes(10)}, WHOLE, "leak@t1", "5.0% of sampled answers have the new name"),
        ({"general": outcomes(150)}, WHOLE, "general", "30 of 200 general questions"),
        ({"controls": outcomes(150)}, WHOLE, "controls", "30 of 200 questions about others"),
        ({"obedience": outcomes(150)}, WHOLE, "obedience", "30 of 200 system messages"),
        ({"repetition": outcomes(10)}, WHOLE, "repetition", "5.0% of the answers repeat themselves"),
        ({"unanswered": outcomes(10)}, WHOLE, "unanswered", "5.0% of the questions have no answer"),
    ],
)
def test_each_cause_is_given_where_it_is_one(
    changed: Mapping[str, Any], training: Mapping[str, Any], metric: str, why: str
) -> None:
    found, said = first(changed, training)
    assert found == metric
    assert why in said


def test_how_little_was_trained_does_not_explain_what_was_lost() -> None:
    metric, why = first({"general": outcomes(150)}, {"steps": 40, "pairs": 2446, "seen": 320})
    assert metric == "general" and "pairs" not in why


def test_a_win_rate_that_is_not_surely_above_one_half() -> None:
    metric, why = first({}, wins=Wins(30, 25, 200), thresholds=(*ON_POLICY, *THRESHOLDS))
    assert (metric, why[:30]) == ("win_rate", "the judge prefers 51.2% of the")


def test_every_failed_metric_has_a_hint_and_a_part_is_explained_as_its_metric() -> None:
    strict = [Threshold.read("new_name/zh at least 1"), Threshold.read("old_name at most 0"), *THRESHOLDS]
    found = hints(judged(UNLEARNED | {"leak": outcomes(10)}, thresholds=strict))
    assert [hint.metric for hint in found] == ["new_name", "leak", "old_name"]
    assert found[2].why == "old_name does not hold: at most 0%"


@pytest.mark.parametrize("training", [{"seen": "8", "pairs": None, "loss_type": 3}, {"seen": [], "pairs": {}}])
def test_what_a_file_says_of_the_training_is_data(training: Mapping[str, Any]) -> None:
    assert "old name" in first(UNLEARNED, training)[1]


def test_a_limit_that_the_base_misses_too_is_not_put_down_to_the_training() -> None:
    after, before = GOOD | {"leak": outcomes(10)}, BEFORE | {"leak": outcomes(10)}
    found = hints(verdict(after, before, thresholds=[Threshold.read("general at least 95%"), *THRESHOLDS]))
    assert [(hint.metric, hint.why.split(" before")[0]) for hint in found] == [
        ("leak", "leak was 5.0%"),
        ("general", "general was 90.0%"),
    ]
