"""A sample for discovery, all rows for the counts, whatever the rows come from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from support import pair

from pairforge.checks.shortcuts import ShortcutChecker, audit
from pairforge.checks.shortcuts.pair_sample import AuditPair, PairSample

WORDS = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in "mnrst"]


def rows(count: int, share: float = 0.3, each: int = 1) -> list[dict[str, Any]]:
    rng = random.Random(0)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=12))

    marked = [" zephyr now" if rng.random() < share else "" for _ in range(count)]
    return [pair(text() + marked[n], text(), f"Question {n // each}") for n in range(count)]


def seen(row: int, prompt: int) -> AuditPair:
    return AuditPair(row, bytes([prompt]), bytes([prompt]), "a", "b")


def test_what_was_found_in_a_sample_is_counted_in_all_rows() -> None:
    made = rows(900)
    whole, part = audit(made), audit(made, most=300)
    assert (whole.sampled.whole, part.sampled.whole, part.sampled.prompts) == (True, False, 300)
    one, other = whole.cues[0], part.cues[0]
    assert one.phrase == other.phrase == "zephyr now"
    assert (one.separates, one.coverage, one.p) == (other.separates, other.coverage, other.p)
    assert (one.chosen_rate, one.rejected_rate, one.examples) == (other.chosen_rate, 0, other.examples)
    assert "counted in all 900" in str(part)


def test_rows_that_can_be_read_once_are_read_once() -> None:
    def stream() -> Iterator[dict[str, Any]]:
        yield from rows(600)

    assert audit(stream(), most=200).as_json() == audit(rows(600), most=200).as_json()


def test_jobs_make_no_difference() -> None:
    made = rows(1200)
    assert audit(made, most=200, jobs=2).as_json() == audit(made, most=200).as_json()


def test_the_draw_does_not_depend_on_the_order() -> None:
    pairs = [seen(number, number) for number in range(100)]
    drawn = []
    for order in (pairs, pairs[::-1]):
        sample = PairSample(10, seed=3)
        for one in order:
            sample.add(one)
        drawn.append(sample.pairs())
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 10
    other = PairSample(10, seed=4)
    for one in pairs:
        other.add(one)
    assert other.pairs() != drawn[0]


def test_a_prompt_that_repeats_takes_no_more_than_its_room() -> None:
    sample = PairSample(100)
    for number in range(400):
        sample.add(seen(number, number % 4))
    assert (sample.rows, sample.kept_pairs, sample.whole) == (400, 100, False)


@pytest.mark.parametrize("count", [19, 200])
def test_watch_tells_of_what_passes_by_as_warnings(count: int) -> None:
    checker = ShortcutChecker()
    for index, row in enumerate(rows(count, share=1)):
        checker.see(index, row)
    found = list(checker.findings())
    assert {finding.severity for finding in found} == ({"warning"} if count == 200 else set())
    assert ("PF306" in {finding.code for finding in found}) == (count == 200)
    assert not list(ShortcutChecker().findings())
