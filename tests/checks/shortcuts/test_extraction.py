"""What is extracted from pairs, against a slow and plain count of the same."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from pairforge.checks.shortcuts.counting import TokenizedText, feature_measure
from pairforge.checks.shortcuts.extraction import extract_features
from pairforge.checks.shortcuts.features import LONGEST, ngrams, parts, tokenize, word_shape, word_shapes, words
from pairforge.checks.shortcuts.pair_sample import AnswerTable
from pairforge.checks.shortcuts.style import LEXICON, STYLE

PIECES = ["Deep", "deep", "organise", "organising", "42", "2024-03-15", "深度", "。", ",", ".\n\n", "I'm", "(x)", "😀"]


def answers(count: int, seed: int) -> AnswerTable:
    rng = random.Random(seed)
    sides = [[" ".join(rng.choices(PIECES, k=rng.randint(0, 6))) for _ in range(count)] for _ in range(2)]
    return AnswerTable(*sides, prompt=list(range(count)), row=list(range(count)))


def seen(text: str) -> set[tuple[str, tuple[str, ...]]]:
    found, shapes = words(text), word_shapes(tokenize(text))
    sets = [("words", run) for run in ngrams(found, LONGEST["words"])]
    sets += [("first", tuple(found[:n])) for n in (1, 2, 3) if n <= len(found)]
    sets += [("last", tuple(found[-n:])) for n in (1, 2, 3) if n <= len(found)]
    sets += [("parts", (part,)) for word in found for part in parts(word)]
    sets += [("pattern", run) for run in ngrams(shapes, LONGEST["pattern"])]
    return set(sets)


@pytest.mark.slow
def test_the_matrix_is_that_of_a_plain_count() -> None:
    given = answers(1500, 0)  # more than are looked at in one go
    matrix = extract_features(given, ["Deep"]).matrix
    plain = Counter[tuple[str, tuple[str, ...], int]]()
    for one, other in given.pairs():
        left, right = seen(one), seen(other)
        plain.update([(*key, 1) for key in left - right] + [(*key, -1) for key in right - left])
    wins, losses = matrix.count()
    found = Counter[tuple[str, tuple[str, ...], int]]()
    for index in range(matrix.size):
        feature = matrix.lookup(index)
        if feature.tokens and feature.kind != "term":
            found[(feature.kind, feature.tokens, 1)] += int(wins[index])
            found[(feature.kind, feature.tokens, -1)] += int(losses[index])
    often = {key[:2] for key in plain if plain[(*key[:2], 1)] + plain[(*key[:2], -1)] >= 3}
    assert {key: count for key, count in found.items() if count and key[:2] in often} == {
        key: count for key, count in plain.items() if key[:2] in often
    }


def test_a_feature_is_counted_as_it_was_extracted() -> None:
    given = answers(300, 1)
    matrix = extract_features(given, ["Deep", "深度"]).matrix
    for index in range(0, matrix.size, 7):
        measure = feature_measure(matrix.lookup(index))
        signs = [
            float(np.sign(measure(TokenizedText(one)) - measure(TokenizedText(other)))) for one, other in given.pairs()
        ]
        assert matrix.signs(index).tolist() == signs, matrix.lookup(index)


def test_a_models_tokens_take_the_place_of_words() -> None:
    given = AnswerTable(["abcabc"] * 3, ["abc"] * 3, [0, 1, 2], [0, 1, 2])
    matrix = extract_features(given, [], lambda texts: [list(text) for text in texts]).matrix
    names = {matrix.lookup(index).name for index in range(matrix.size) if matrix.is_kind("words")[index]}
    assert names == {"ca", "bca", "cab"}


@pytest.mark.parametrize(
    ("token", "shape"),
    [("word", "a"), ("Word", "Aa"), ("WORD", "AA"), ("I", "A"), ("iPhone", "aA"), ("2024", "0000"), ("123456", "00000"),
     ("深", "字"), ("слово", "я"), ("é", "é"), ("I'm", "a'a"), ("😀", "☺"), ("\n\n", "↵↵"), ("  ", "␣␣"), ("!", "!")],
)  # fmt: skip
def test_word_shapes(token: str, shape: str) -> None:
    assert word_shape(token) == shape


def test_plain_words_in_a_row_are_one_shape() -> None:
    assert word_shapes(tokenize("It is so, on 3 May.")) == ["^", "Aa", "a", ",", "a", "0", "Aa", ".", "$"]


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("template tokens", "Hi<|im_end|></s> {{name}}", 3),
        ("table rows", "| a | b |\n|---|---|\nno | row", 2),
        ("numbered points", "1. a\n2) b\nin 3. c", 2),
        ("double spaces", "a  b   c d", 2),
        ("line breaks at the end", "a\n", 1),
        ("spaces at the end", "a ", 1),
        ("doubled words", "the the cat", 1),
        ("offers and closing phrases", "Hope this helps! Let me know.", 2),
        ("endings with a question", "Is it? ", 1),
        ("repeated marks", "So!! Why?! 好。。 but ... and …", 3),
        ("emoticons", "ok :) <3 at 12:30 (a): http://x", 2),
        ("quoted words", "a 'big' \"one\", “so” don't 'not this'", 3),
        ("names of code", "call read_file() and run() in data_list", 3),
        ("spaces beside Chinese", "用 Python 写", 2),
        ("labels at the start", "**Answer**: 42", 1),
        ("hedging phrases", "More or less, 也许", 2),
    ],
)
def test_habits_of_a_text(name: str, text: str, count: int) -> None:
    assert STYLE[name](text) == count
    assert STYLE[name]("plain text of no habit") == 0


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("British spellings", "The colour and the organisation of the centre", 3),
        ("American spellings", "The color and the organization of the center", 3),
        ("emoji", "a 😀 b 🚀", 2),
        ("invisible characters", "a\u200bb\u00a0c", 2),
        ("curly quotation marks", "“a” ‘b’", 2),
        ("curly apostrophes", "“a” ‘b’ it’", 3),
        ("misspelt words", "Teh porblem is ther, aboout a quiet form", 3),
        ("stretched words", "sooo goood: see www.Louis XIII and iii", 2),
        ("words with capitals inside", "getName iPhone McDonald", 2),
        ("conjunctions at the start", "And so. But no, and SO", 2),
        ("units of measure", "5 kg in 3 GB", 2),
        ("years", "in 1987 and 2024, not 3000", 2),
        ("non-ASCII characters", "é and 深", 2),
        ("contractions", "I'm sure it isn’t", 2),
    ],
)
def test_habits_of_tokens(name: str, text: str, count: int) -> None:
    assert sum(map(LEXICON[name], tokenize(text))) == count
