"""Near duplicates in a dataset of any size: MinHash sketches, compared in bands (LSH).

Broder 1997, On the resemblance and containment of documents; one permutation with rotation, Shrivastava and Li 2014,
Densifying One Permutation Hashing via Rotation for Fast Near Neighbor Search.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from .arrays import Bytes, Hashes, Ints, Mask
from .duplicates import key
from .row import INSTRUCTS, Sides

BINS = 32
"""Bytes in a sketch. The share of equal bytes of two sketches estimates the share of shingles that two texts share."""
SHINGLE = 8
"""Bytes of UTF-8 in a shingle: a word or so, in any script."""
ALIKE = 0.85
"""From this share of equal bytes on, two texts are near duplicates."""
_PARTS = 3
_BATCH = 256
_LONGEST = 2**16
"""Characters of a text that are looked at."""
_EMPTY = np.uint32(0xFFFFFFFF)


class Sketches:
    """Three sketches a row: of the question, of the chosen and of the rejected answer."""

    def __init__(self) -> None:
        self._rows, self._systems = array("q"), array("Q")
        self._texts: list[str] = []
        self._done: list[Bytes] = [np.empty((0, _PARTS, BINS), np.uint8)]

    def add(self, index: int, sides: Sides) -> None:
        self._rows.append(index)
        first, at = sides.chosen[0], sides.shared
        instructs = first["role"] in INSTRUCTS
        self._systems.append(key(first["content"]) if instructs else 0)
        asked = (
            sides.chosen[:at] if not instructs else [turn for turn in sides.context if turn["role"] not in INSTRUCTS]
        )
        for part in (asked, sides.chosen[at:], sides.rejected[at:]):
            text = part[0]["content"] if len(part) == 1 else "\n".join([turn["content"] for turn in part])
            self._texts.append(text)
        if len(self._texts) >= _BATCH * _PARTS:
            self._flush()

    def join(self, other: Sketches) -> None:
        """Take in the rows after these."""
        self._flush()
        other._flush()
        self._rows.extend(other._rows)
        self._systems.extend(other._systems)
        self._done += other._done

    @property
    def rows(self) -> Ints:
        return np.array(self._rows, dtype=np.int64)

    @property
    def systems(self) -> Hashes:
        """Return a hash of each row's system message."""
        return np.array(self._systems, dtype=np.uint64)

    @property
    def parts(self) -> Bytes:
        """(rows, 3, BINS)"""
        self._flush()
        self._done = [np.concatenate(self._done)]
        return self._done[0]

    def __getstate__(self) -> dict[str, object]:
        self._flush()
        return self.__dict__

    def _flush(self) -> None:
        if self._texts:
            self._done.append(sketch(self._texts).reshape(-1, _PARTS, BINS))
            self._texts = []


def sketch(texts: Sequence[str]) -> Bytes:
    """Return the sketches of some texts, (texts, BINS). Case is ignored; a short text is like none but itself."""
    raw = [text[:_LONGEST].lower().encode("utf-8", "surrogatepass") for text in texts]
    long = [place for place, text in enumerate(raw) if len(text) >= BINS + SHINGLE]
    whole = b"".join([blake2b(text.strip(), digest_size=BINS).digest() for text in raw])
    made = np.frombuffer(whole, np.uint8).reshape(-1, BINS).copy()
    if long:
        made[long] = _least([raw[place] for place in long])
    return made


def _least(texts: Sequence[bytes]) -> Bytes:
    """Return the least hash of the shingles in each bin; its low byte."""
    data = b"".join(texts) + b"\0" * SHINGLE
    size = np.fromiter(map(len, texts), np.int64, len(texts))
    inside: Mask = np.ones(len(data) - SHINGLE, np.bool_)
    for back in range(1, SHINGLE):
        inside[np.cumsum(size) - back] = False
    shingles: Hashes = np.ndarray((len(data) - SHINGLE,), "<u8", data, strides=(1,))[inside]
    hashed = shingles * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(32)
    hashed *= np.uint64(0xD6E8FEB86659FD93)
    place: Ints = np.repeat(np.arange(len(texts), dtype=np.int64) * BINS, size - (SHINGLE - 1))
    place += (hashed >> np.uint64(59)).astype(np.int64)
    flat: Any = np.full(len(texts) * BINS, _EMPTY, np.uint32)
    np.minimum.at(flat, place, (hashed >> np.uint64(16)).astype(np.uint32))
    least = flat.reshape(-1, BINS)
    # A bin that no shingle fell into borrows from the next one that is full.
    for step in (1, 2, 4, 8, 16):
        least = np.where(least == _EMPTY, np.roll(least, -step, axis=1), least)
    low: Bytes = (least & np.uint32(0xFF)).astype(np.uint8)
    return low


def near_duplicates(parts: Bytes, start: int = 0, within: Hashes | None = None) -> Ints:
    """Return for each row from `start` on an earlier one (with `start`: one before `start`) that is nearly the same in
    all of its parts, or -1. `parts` is (rows, parts, BINS); only rows with the same key `within` are compared.
    """
    count, width = len(parts), parts.shape[1]
    found: Ints = np.full(count, -1, np.int64)
    each = 2 if width == _PARTS else 4
    if not count:
        return found
    for band in range(BINS // each):
        keys: Bytes = np.zeros((count, 8), np.uint8)
        keys[:, : width * each] = parts[:, :, band * each : (band + 1) * each].reshape(count, -1)
        packed: Hashes = keys.view(np.uint64)[:, 0] if within is None else keys.view(np.uint64)[:, 0] ^ within
        order = np.argsort(packed, kind="stable")
        new: Mask = np.ones(count, np.bool_)
        new[1:] = packed[order][1:] != packed[order][:-1]
        first = order[np.maximum.accumulate(np.where(new, np.arange(count), 0))]
        for other in (first, np.concatenate((order[:1], order[:-1]))):
            ask = ~new & (found[order] < 0) & (order >= start) & ((other < start) if start else (other < order))
            one, other = order[ask], other[ask]
            for begin in range(0, len(one), 2**16):
                a, b = one[begin : begin + 2**16], other[begin : begin + 2**16]
                alike = (parts[a] == parts[b]).mean(axis=2).min(axis=1) >= ALIKE
                found[a[alike]] = b[alike]
    return found[start:]
