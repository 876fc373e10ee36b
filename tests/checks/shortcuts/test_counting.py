"""What is counted in parts, or in another order, is what is counted in all."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support import pair

from pairforge.checks.shortcuts import audit, counting
from pairforge.checks.shortcuts.baseline_classifier import FOLDS
from pairforge.checks.shortcuts.counting import FeatureCounts, count, count_votes, differs_in_term_only
from pairforge.checks.shortcuts.features import Feature
from pairforge.checks.shortcuts.pair_sample import AuditPair
from pairforge.types import digest

FEATURES = [Feature("words", "red", ("red",)), Feature("length", "characters"), Feature("term", "blue", ("blue",))]


def pairs(count: int, prompts: int) -> list[AuditPair]:
    """Return pairs of prompts that come back later, each with one of two system messages."""
    draw = random.Random(0)

    def of(row: int) -> AuditPair:
        prompt, system = draw.randrange(prompts), draw.randrange(2)
        prompt_hash, context = (bytes.fromhex(digest(value)) for value in (prompt, [prompt, system]))
        chosen, rejected = (" ".join(draw.choices(("red", "blue", "a", "b"), k=3)) for _ in range(2))
        return AuditPair(row, prompt_hash, context, chosen, rejected)

    return [of(row) for row in range(count)]


def slowly(given: Sequence[AuditPair], feature: Feature) -> tuple[int, int, int, float]:
    """Count one feature without arrays: wins, losses, prompts, and the rate at which the majority elsewhere wins."""
    votes, fold = dict[bytes, int](), dict[bytes, int]()
    for one in given:
        if one.chosen == one.rejected or (
            feature.kind != "term" and differs_in_term_only(["blue"], one.chosen, one.rejected)
        ):
            held = (0, 0)
        elif feature.kind == "length":
            held = (len(one.chosen), len(one.rejected))
        else:
            held = (feature.name in one.chosen.split(), feature.name in one.rejected.split())
        key = one.context if feature.kind == "term" else one.prompt
        if one.chosen != one.rejected:
            votes[key] = votes.get(key, 0) + (held[0] > held[1]) - (held[0] < held[1])
            fold[key] = int.from_bytes(one.prompt, "little") % FOLDS
    signs = {key: (vote > 0) - (vote < 0) for key, vote in votes.items()}
    hits = 0.0
    for key, sign in signs.items():
        lead = sum(other for name, other in signs.items() if fold[name] != fold[key])
        hits += (sign * lead > 0) if lead else abs(sign) / 2
    apart = sum(map(abs, signs.values()))
    wins = sum(sign > 0 for sign in signs.values())
    return wins, apart - wins, len(signs), hits / apart


def test_counts_are_those_of_a_plain_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_IN_MEMORY", 100)  # bytes, so that most is on disk
    given = pairs(800, 90)
    found, prompts = count(given, FEATURES, [1, 1, 1])
    for feature, one in zip(FEATURES, found, strict=True):
        wins, losses, groups, rate = slowly(given, feature)
        assert (one.wins, one.losses, one.prompts) == (wins, losses, groups)
        assert one.win_rate == pytest.approx(rate)
    assert prompts == found[0].prompts == 90 < found[2].prompts


def test_counts_of_parts_without_common_prompts_add_up_to_those_of_the_whole() -> None:
    given, is_term = [one for one in pairs(900, 100) if one.chosen != one.rejected], [False, False, True]
    measured = counting.pair_measure(FEATURES)([(one.chosen, one.rejected) for one in given])
    votes = counting._votes(given, measured)
    whole, prompts = count_votes(votes, is_term)
    part = votes["prompt"] % np.uint64(7)
    counts, of_parts = zip(*(count_votes(votes[part == number], is_term) for number in range(7)), strict=True)
    assert np.array_equal(sum(counts), whole) and sum(of_parts) == prompts == 100
    assert FeatureCounts.of(sum(counts)[0], 0, 0, ()) == FeatureCounts.of(whole[0], 0, 0, ())


def rows(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    marks = (" Certainly, here it is.", "", "")
    return [
        pair(f"{draw.random()}{draw.choice(marks)}", f"{draw.random()}", f"Question {n % (count - 20)}?")
        for n in range(count)
    ]


def test_the_order_of_the_rows_changes_no_figure() -> None:
    given = rows(400)
    turned = random.Random(1).sample(given, len(given))
    for most in (None, 100):  # counted in the sample, and in all rows
        one, other = (audit(some, most=most).as_json() for some in (given, turned))
        for report in (one, other):
            for finding in report["findings"]:
                finding.pop("examples", None)  # the first rows that show it
                finding["explains"] = sorted(finding.get("explains", ()))
        assert one == other and one["findings"]


def test_a_pair_differs_in_a_term_only_as_by_a_pattern() -> None:
    draw = random.Random(0)

    def by_pattern(term: str, one: str, other: str) -> bool:
        first, *rest = one.split(term)
        pattern = re.escape(first) + "(.{1,64}?)" + r"\1".join(map(re.escape, rest))
        return bool(rest) and re.fullmatch(pattern, other, re.DOTALL) is not None

    said = list[bool]()
    for _ in range(3000):
        one, term = "".join(draw.choices("ab\nc", k=draw.randint(1, 8))), draw.choice(["a", "ab", "aa"])
        other = one.replace(term, "".join(draw.choices("abx\n", k=draw.choice([0, 1, 2, 3, 64, 65]))))
        other += draw.choice(["", "", "", "a"])
        said.append(counting._is_replaced(term, one, other))
        assert said[-1] == by_pattern(term, one, other), (term, one, other)
    assert 500 < sum(said) < 2500
