"""Nearly the same is found, whatever the script, and different is left apart."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pairforge.checks.minhash import BINS, near_duplicates, sketch

WORDS = [
    "river",
    "stone",
    "window",
    "garden",
    "letter",
    "music",
    "winter",
    "bread",
    "silver",
    "cloud",
    "engine",
    "story",
]
CHINESE = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈"


def text(seed: int, words: int = 80) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) + str(draw.randrange(99)) for _ in range(words))


def found(*texts: str) -> list[int]:
    return [int(place) for place in near_duplicates(sketch(texts).reshape(-1, 1, BINS))]


def test_nearly_the_same_is_found() -> None:
    one = text(1)
    chinese = "".join(random.Random(2).choices(CHINESE, k=300))
    assert found(one, one.replace("river", "River"), text(3), one + " and more.") == [-1, 0, -1, 0]
    assert found(chinese, text(4), chinese + "。") == [-1, -1, 0]


def test_what_differs_is_left_apart() -> None:
    texts = [text(seed) for seed in range(300)] + [f"What is {a} + {b}?" for a in range(40) for b in range(40)]
    assert set(found(*texts)) == {-1}


@pytest.mark.parametrize("texts", [[], [""], ["", "", "a"], ["a" * 100_000, "b" * 100_000], ["\ud800" * 50, "\0" * 50]])
def test_any_texts(texts: list[str]) -> None:
    same = [next((j for j in range(i) if texts[j].lower() == texts[i].lower()), -1) for i in range(len(texts))]
    assert found(*texts) == same


def test_the_share_of_equal_bytes_estimates_the_resemblance() -> None:
    estimates = []
    for seed in range(60):
        shared, one, other = text(seed, 60), text(seed + 1000, 20), text(seed + 2000, 20)
        a, b = sketch([shared + one, shared + other])
        estimates.append(float(np.mean(a == b)))
    assert 0.5 < np.mean(estimates) < 0.7  # 60 / (60 + 20 + 20)


def test_a_set_of_copies_is_no_burden() -> None:
    copies = sketch([text(1)] * 2000).reshape(-1, 1, BINS)
    assert (near_duplicates(copies)[1:] >= 0).all()


def test_only_within_a_group() -> None:
    parts = sketch([text(1)] * 3).reshape(-1, 1, BINS)
    groups = np.array([1, 2, 1], dtype=np.uint64)
    assert near_duplicates(parts, within=groups).tolist() == [-1, -1, 0]


def test_one_set_against_another() -> None:
    parts = sketch([text(1), text(2), text(2), text(2) + "!", text(3)]).reshape(-1, 1, BINS)
    assert near_duplicates(parts, start=2).tolist() == [1, 1, -1]
