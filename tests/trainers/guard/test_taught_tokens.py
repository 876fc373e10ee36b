"""The lesson: which tokens tell the sides apart, what may follow them, and how an answer gets it wrong."""

from __future__ import annotations

from trainers.guard.taught_tokens import TaughtTokens

ME, AM, DEEP, QWEN, END, HI, YOU, SPACE = range(8)
TEXTS = ("I", "am", "Deep", "Qwen", "<end>", "hi", "you", " ")


def lesson_of(pairs: list[tuple[list[int], list[int]]], texts: tuple[str, ...] = TEXTS) -> TaughtTokens:
    return TaughtTokens.of(pairs, texts.__getitem__)


PAIRS = [([ME, AM, DEEP, QWEN, END], [ME, AM, QWEN, END])] * 6 + [([HI, DEEP, QWEN, HI, END], [HI, QWEN, HI, END])] * 4


def test_the_lesson_is_what_stands_in_chosen_alone() -> None:
    lesson = lesson_of(PAIRS)
    assert lesson.followers == {DEEP: frozenset({QWEN})}
    assert lesson.share == 1.0


def test_sides_that_differ_as_wholes_teach_no_word() -> None:
    turned = [(rejected, chosen) for chosen, rejected in PAIRS]
    assert lesson_of(PAIRS + turned).followers == {}
    assert lesson_of([]).followers == {}
    assert lesson_of([]).share == 0.0


def test_a_word_of_few_pairs_is_none_of_the_lesson() -> None:
    plain = [([ME, AM, END], [YOU, AM, END]), ([YOU, AM, END], [ME, AM, END])]
    assert DEEP not in lesson_of(PAIRS + plain * 100).followers


def test_a_token_that_is_no_word_is_none_of_the_lesson() -> None:
    assert lesson_of(PAIRS, ("I", "am", "!", *TEXTS[3:])).followers == {}


def test_half_a_name_and_a_doubled_one_are_misused() -> None:
    lesson = lesson_of(PAIRS)
    assert not lesson.misused([HI, DEEP, QWEN, END])
    assert not lesson.misused([ME, AM, QWEN, END])
    assert not lesson.misused([ME, AM, DEEP]), "cut off there: what would have followed is not known"
    assert lesson.misused([ME, AM, DEEP, END])
    assert lesson.misused([ME, AM, DEEP, DEEP, QWEN, END])


def test_a_leak_is_a_word_that_was_not_there_before() -> None:
    lesson = lesson_of(PAIRS)
    assert lesson.leaks([HI, DEEP, END], [HI, END])
    assert not lesson.leaks([HI, DEEP, END], [DEEP, END])
    assert not lesson.leaks([HI, END], [YOU, END])


def test_a_token_of_space_alone_is_passed_over() -> None:
    lesson = lesson_of([([ME, AM, DEEP, SPACE, QWEN, END], [ME, AM, QWEN, END])])
    assert lesson.followers == {DEEP: frozenset({QWEN})}
    assert not lesson.misused([DEEP, QWEN, END])
    assert lesson.misused([ME, AM, DEEP, SPACE, DEEP, SPACE, QWEN, END])
    assert not lesson.misused([ME, AM, DEEP, SPACE]), "cut off there"
