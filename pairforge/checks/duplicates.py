"""Rows that are the same, or contradict one another: a over b and b over a, or a over b, b over c, c over a.

Numbers are kept of each row, never its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import IO
from weakref import finalize

import numpy as np
import numpy.typing as npt

from ..text import listed
from ..types import Message
from .arrays import Hashes, Ints, Mask
from .row import Sides

_MIX = np.uint64(0x9E3779B97F4A7C15)


def key(text: str) -> int:
    """Return a 64-bit hash of a text: of a million texts two share one by chance once in 37 million datasets."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


_LONG = len("assistant\x1f") + 20
"""Bytes from which on an answer, with its role, is one of its own: "Yes" is the answer to many questions."""


_ROW = np.dtype([("row", "<i8"), ("prompt", "<u8"), ("chosen", "<u8"), ("rejected", "<u8"), ("long", "i1")])
_IN_MEMORY = 1 << 17
"""Rows; more are put on disk."""
_PARTS = 64


class Digests:
    """Hashes of the prompt and of both answers, with the number of each row that is a pair.

    Many are on disk, in parts that hold all rows of a prompt, so that no more than one part is in memory.
    """

    def __init__(self, held: bytes = b"") -> None:
        self._held, self._starts = bytearray(held), list[list[int]]()
        self._file: IO[bytes] | None = None

    def add(self, index: int, sides: Sides) -> None:
        """Take in a row."""
        at = sides.shared
        texts = [_joined(turns).encode("utf-8", "surrogatepass") for turns in
                 (sides.context, sides.chosen[at:], sides.rejected[at:])]  # fmt: skip
        long = (len(texts[1]) >= _LONG) + 2 * (len(texts[2]) >= _LONG)
        hashes = [blake2b(text, digest_size=8).digest() for text in texts]
        self._held += b"".join([index.to_bytes(8, "little"), *hashes, bytes([long])])
        if len(self._held) >= _IN_MEMORY * _ROW.itemsize:
            self._put_aside()

    def join(self, other: Digests) -> None:
        """Take in the rows after these."""
        self._held += other._held
        if len(self._held) >= _IN_MEMORY * _ROW.itemsize:
            self._put_aside()

    def _put_aside(self) -> None:
        if self._file is None:
            self._file = TemporaryFile()  # noqa: SIM115 (closed with this object)
            finalize(self, self._file.close)
        held = np.frombuffer(self._held, _ROW)
        part = held["prompt"] % _PARTS
        order = np.argsort(part, kind="stable")
        at = self._file.seek(0, 2)
        self._starts.append((at + _ROW.itemsize * np.searchsorted(part[order], np.arange(_PARTS + 1))).tolist())
        self._file.write(held[order].tobytes())
        self._held = bytearray()

    def parts(self) -> Iterator[Digests]:
        """Yield the rows in parts, in order within each; all of one prompt are in the same part."""
        if self._file is None:
            yield self
            return
        if self._held:
            self._put_aside()
        for part in range(_PARTS):
            yield Digests(b"".join(self._read(*starts[part : part + 2]) for starts in self._starts))

    def _read(self, start: int, end: int) -> bytes:
        assert self._file
        self._file.seek(start)
        return self._file.read(end - start)

    def __len__(self) -> int:
        return (len(self._held) + (self._file.seek(0, 2) if self._file else 0)) // _ROW.itemsize

    @property
    def _table(self) -> npt.NDArray[np.void]:
        if self._file is None:
            return np.frombuffer(bytes(self._held), _ROW)
        whole = np.frombuffer(self._read(0, self._file.seek(0, 2)) + self._held, _ROW)
        return whole[np.argsort(whole["row"])]

    @property
    def rows(self) -> Ints:
        return self._table["row"].copy()

    @property
    def prompt(self) -> Hashes:
        return self._table["prompt"].copy()

    @property
    def chosen(self) -> Hashes:
        """Return a hash of each chosen answer to its prompt."""
        return mixed(self.prompt, self.texts("chosen"))

    @property
    def rejected(self) -> Hashes:
        """Return a hash of each rejected answer to its prompt."""
        return mixed(self.prompt, self.texts("rejected"))

    def texts(self, side: str) -> Hashes:
        """Return a hash of each answer of a side, whatever the prompt."""
        return self._table[side].copy()

    def long(self, side: str) -> Mask:
        """Return for each answer of a side whether it is long enough to be one of its own."""
        bits: Mask = self._table["long"] & (1 + (side == "rejected")) > 0
        return bits

    def pair(self, swapped: bool = False) -> Hashes:
        """Return one hash of both answers."""
        return mixed(*((self.rejected, self.chosen) if swapped else (self.chosen, self.rejected)))


def mixed(one: Hashes, other: Hashes) -> Hashes:
    """Return one hash of two, in their order."""
    made: Hashes = one * _MIX ^ (other + (one >> np.uint64(7)))
    return made


def earliest(keys: Hashes) -> Ints:
    """Return for each place the first one that holds the same key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    places: Ints = first[inverse]
    return places


def first_with(keys: Hashes, wanted: Hashes) -> Ints:
    """Return for each of the wanted keys the first place that holds it, or -1."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found: Ints = np.where(keys[order[at]] == wanted, order[at], -1)
    return found


def _joined(turns: Sequence[Message]) -> str:
    if len(turns) == 1:  # nearly always: without a list
        return turns[0]["role"] + "\x1f" + turns[0]["content"]
    return "\x1e".join([turn["role"] + "\x1f" + turn["content"] for turn in turns])


_SHOWN = 8
_PEELS = 64


def earlier(digests: Digests, found_in: Callable[[Digests], tuple[Mask, Ints]]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of two rows of one prompt, the later one's in order.

    `found_in` says of a part which places are found, and at which place the earlier row of each is.
    """
    both = []
    for part in digests.parts():
        rows, (found, first) = part.rows, found_in(part)
        both.append(np.column_stack((rows[found], rows[first[found]])))
    table = np.concatenate(both)
    yield from map(tuple, table[np.argsort(table[:, 0])].tolist())


def repeated(digests: Digests) -> Iterator[tuple[int, str]]:
    """Yield the rows whose pair is in an earlier row, by number, and in which."""

    def again(part: Digests) -> tuple[Mask, Ints]:
        first = earliest(part.pair())
        return first != np.arange(len(first)), first

    for row, first in earlier(digests, again):
        yield row, f"the same pair as row {first}"


def contradictions(digests: Digests) -> dict[int, str]:
    """Return the rows whose preference runs in a circle with others of the same prompt, by number, and with which.

    All rows of a circle: nothing says which of them is wrong.
    """
    found = {}
    for circle in circles(digests, lambda part: part.chosen != part.rejected):
        for row in circle:
            others = [one for one in circle if one != row]
            found[row] = f"contradicts {'row' if len(others) == 1 else 'rows'} {listed(others, _SHOWN)}"
    return found


def circles(digests: Digests, kept_in: Callable[[Digests], Mask]) -> list[list[int]]:
    """Return the rows whose preferences run in a circle: one list a circle.

    `kept_in` says of a part which of its rows count.
    """
    return sorted(circle for part in digests.parts() for circle in _circles_in(part, np.flatnonzero(kept_in(part))))


def _circles_in(digests: Digests, keep: Ints) -> Iterable[list[int]]:
    """Return the circles among the rows at the places to keep.

    Each is a strongly connected component of the graph of answers (Kosaraju): in it every answer leads to every other.
    """
    chosen, rejected = digests.chosen, digests.rejected
    for _ in range(_PEELS):  # the ends of chains are no part of a circle, and most pairs are such ends
        inside = np.isin(chosen[keep], rejected[keep]) & np.isin(rejected[keep], chosen[keep])
        if inside.all():
            break
        keep = keep[inside]
    rows, better, worse = (column[keep].tolist() for column in (digests.rows, chosen, rejected))
    ahead: dict[int, list[int]] = {}
    back: dict[int, list[int]] = {}
    for start, end in zip(better, worse, strict=True):
        ahead.setdefault(start, []).append(end)
        back.setdefault(end, []).append(start)
    finished, seen, component = list[int](), set[int](), dict[int, int]()
    for node in ahead:
        finished += _post_order(node, ahead, seen)
    seen.clear()
    for node in reversed(finished):
        component |= dict.fromkeys(_post_order(node, back, seen), node)
    members: dict[int, list[int]] = {}
    for row, start, end in sorted(zip(rows, better, worse, strict=True)):
        if component[start] == component[end]:
            members.setdefault(component[start], []).append(row)
    return members.values()


def _post_order(start: int, edges: Mapping[int, Iterable[int]], seen: set[int]) -> Iterator[int]:
    """Yield the nodes that can be reached and were not seen, each after all that follow from it."""
    if start in seen:
        return
    seen.add(start)
    path = [(start, iter(edges.get(start, ())))]
    while path:
        node, rest = path[-1]
        following = next((one for one in rest if one not in seen), None)
        if following is None:
            yield node
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(edges.get(following, ()))))
