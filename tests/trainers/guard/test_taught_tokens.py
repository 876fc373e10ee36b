"""Taught tokens: which are typical of the chosen side, what may follow them, and how an answer gets it wrong."""

from __future__ import annotations

from trainers.guard.taught_tokens import TaughtTokens

ME, AM, DEEP, QWEN, END, HI, YOU, SPACE = range(8)
TEXTS = ("I", "am", "Deep", "Qwen", "<end>", "hi", "you", " ")


def taught_by(pairs: list[tuple[list[int], list[int]]], texts: tuple[str, ...] = TEXTS) -> TaughtTokens:
    return TaughtTokens.of(pairs, texts.__getitem__)


PAIRS = [([ME, AM, DEEP, QWEN, END], [ME, AM, QWEN, END])] * 6 + [([HI, DEEP, QWEN, HI, END], [HI, QWEN, HI, END])] * 4


def test_the_taught_tokens_are_those_in_chosen_alone() -> None:
    taught = taught_by(PAIRS)
    assert taught.followers == {DEEP: frozenset({QWEN})}


def test_sides_that_are_different_texts_teach_no_token() -> None:
    turned = [(rejected, chosen) for chosen, rejected in PAIRS]
    assert taught_by(PAIRS + turned).followers == {}
    assert taught_by([]).followers == {}


def test_a_token_of_few_pairs_is_not_taught() -> None:
    plain = [([ME, AM, END], [YOU, AM, END]), ([YOU, AM, END], [ME, AM, END])]
    assert DEEP not in taught_by(PAIRS + plain * 100).followers


def test_a_token_without_letters_is_not_taught() -> None:
    assert taught_by(PAIRS, ("I", "am", "!", *TEXTS[3:])).followers == {}


def test_a_partial_name_and_a_doubled_word_are_misused() -> None:
    taught = taught_by(PAIRS)
    assert not taught.misused([HI, DEEP, QWEN, END])
    assert not taught.misused([ME, AM, QWEN, END])
    assert not taught.misused([ME, AM, DEEP]), "cut off there: what would have followed is not known"
    assert taught.misused([ME, AM, DEEP, END])
    assert taught.misused([ME, AM, DEEP, DEEP, QWEN, END])


def test_a_leak_is_a_token_that_was_not_there_before() -> None:
    taught = taught_by(PAIRS)
    assert taught.leaks([HI, DEEP, END], [HI, END])
    assert not taught.leaks([HI, DEEP, END], [DEEP, END])
    assert not taught.leaks([HI, END], [YOU, END])


def test_a_token_of_space_alone_is_skipped() -> None:
    taught = taught_by([([ME, AM, DEEP, SPACE, QWEN, END], [ME, AM, QWEN, END])])
    assert taught.followers == {DEEP: frozenset({QWEN})}
    assert not taught.misused([DEEP, QWEN, END])
    assert taught.misused([ME, AM, DEEP, SPACE, DEEP, SPACE, QWEN, END])
    assert not taught.misused([ME, AM, DEEP, SPACE]), "cut off there"
