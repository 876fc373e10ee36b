"""What is counted of the pairs, and which of them a report shows."""

from __future__ import annotations

from typing import Any

from support import pair

from pairforge.reporting.pair_figures import PairFigures, examples, publishable

KEY = "hf_" + "aB3" * 12


def rows() -> list[dict[str, Any]]:
    scores = [(3.0, 1.0), (9.0, 0.0), (2.0, 1.5), (2.0, 1.0), (2.0, 1.0)]
    lengths = [(10, 12), (20, 10), (30, 8), (90, 5), (1, 2)]
    return [
        pair("a" * one, "b" * other, f"Q{number}?", judge="len", chosen_score=chosen, rejected_score=rejected)
        for number, ((one, other), (chosen, rejected)) in enumerate(zip(lengths, scores, strict=True))
    ]


def test_lengths_and_scores_are_counted() -> None:
    found = PairFigures.of(rows())
    assert (found.longer.hits, found.longer.of) == (3, 5)
    assert [*found.margins.values()] == [2.0, 9.0, 0.5, 1.0, 1.0] and found.names["judge"] == {"len"}
    assert found.lengths.statistics()["chosen_characters"] == {"mean": 30.2, "median": 20}


def test_a_correction_has_no_margin() -> None:
    assert not PairFigures.of([row | {"judge": "rename"} for row in rows()]).margins


def test_examples_are_chosen_by_rule() -> None:
    found = PairFigures.of(rows())
    assert found.choose({2}, set()) == {
        1: "of median length", 2: "narrowest margin", 3: "longest", 4: "shortest",
    }  # fmt: skip
    assert found.choose({4}, {1}) == {2: "of median length", 0: "widest margin", 3: "longest", 4: "shortest"}
    assert found.choose(set(), {*range(5)}) == {} and PairFigures.of([]).choose((), ()) == {}
    assert PairFigures.of([row | {"judge": "rename"} for row in rows()]).choose({0}, set())[0] == "first with a finding"


def test_what_looks_like_a_key_is_not_shown() -> None:
    given = [*rows(), pair(KEY, "no")]
    shown = [*examples(given, {5: "longest", 0: "shortest"})]
    assert [(one.number, one.rule, one.row) for one in shown] == [(0, "shortest", given[0])]
    assert not publishable({"x": KEY}) and not publishable("ann@gmail.com") and publishable("ann@gmail.com", "PF501")
