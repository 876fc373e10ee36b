"""One cause, one finding: which of the significant features tell something that the others don't."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .features import Words
from .statistics import Discoveries, chances, score_test, two_sided
from .votes import Feature, Floats, Ints, Mask, Votes

_MOST = 12
_ORDER = ("style", "first", "last", "words", "length", "term")


@dataclass
class Root:
    """A feature (its place in the votes) and those that it explains."""

    feature: int
    children: list[int] = field(default_factory=list)


def roots(votes: Votes, significant: Discoveries, terms: Ints, lengths: Floats | None) -> list[Root]:
    """Greedy forward selection by the score test: what is known explains what is no longer significant beside it.

    `terms` are the features that are expected, and known from the start. `lengths` (prompts, columns) are signed
    differences of length, known next if a length is significant; None where the edit itself makes the difference.
    """
    known, found = [votes.dense(int(term)) for term in terms], [Root(int(term)) for term in terms]
    alive = _without(votes, significant.features, terms, found)
    parent = max(found, key=lambda root: int((votes.feature == root.feature).sum()), default=None)
    if lengths is not None and (long := [index for index in alive if votes.features[index].kind == "length"]):
        parent = Root(_strongest(votes, np.array(long), np.full(votes.units, 0.5)))
        alive = alive[alive != parent.feature]
        found.append(parent)
        known += list(lengths.T)
    while len(alive):
        p = chances(np.column_stack(known)) if known else np.full(votes.units, 0.5)
        if parent:
            still = _still(votes, significant, alive, p)
            parent.children += map(int, alive[~still])
            alive = alive[still]
        if not len(alive) or len(found) - len(terms) >= _MOST:
            break
        parent = Root(_strongest(votes, alive, p))
        alive = alive[alive != parent.feature]
        found.append(parent)
        known.append(votes.dense(parent.feature))
    return _fold_length(votes, significant, found)


def _fold_length(votes: Votes, significant: Discoveries, found: list[Root]) -> list[Root]:
    """Length was known before the others were looked for; what one of them explains of it belongs to that one."""
    long = next((root for root in found if votes.features[root.feature].kind == "length"), None)
    rest = [root for root in found if root is not long]
    if long is None or not rest:
        return found
    p = chances(np.column_stack([votes.dense(root.feature) for root in rest]))
    if _still(votes, significant, np.array([long.feature]), p)[0]:
        return found
    owner = max(rest, key=lambda root: abs(float(votes.dense(root.feature).sum())))
    owner.children += [long.feature, *long.children]
    return rest


def overlaps(tokens: Words, term: Words) -> bool:
    """A phrase shares a word (or two characters of a script without spaces) with a term."""
    for start in range(len(tokens)):
        for end in range(start + 1, len(tokens) + 1):
            run = tokens[start:end]
            if len("".join(run)) > 1 and any(term[at : at + len(run)] == run for at in range(len(term))):
                return True
    return False


def _without(votes: Votes, flagged: Ints, terms: Ints, found: list[Root]) -> Ints:
    """The flagged features but the terms, and but those that hold a part of one, which become its children."""
    alive = []
    for index in flagged:
        feature: Feature = votes.features[index]
        owner = next((root for root in found if overlaps(feature.tokens, votes.features[root.feature].tokens)), None)
        if index in terms:
            continue
        if owner:
            owner.children.append(int(index))
        else:
            alive.append(index)
    return np.array(alive, dtype=np.int64)


def _still(votes: Votes, significant: Discoveries, alive: Ints, p: Floats) -> Mask:
    some = votes.only(alive)
    return significant.still(two_sided(score_test(some, p)), some.kind)


def _strongest(votes: Votes, alive: Ints, p: Floats) -> int:
    """The feature with the largest |z|; of equals the one that says most to a reader: words, then style, then marks."""
    z = np.abs(score_test(votes.only(alive), p)).round(6)
    order = sorted(range(len(alive)), key=lambda place: (-z[place], plainness(votes.features[alive[place]])))
    return int(alive[order[0]])


def plainness(feature: Feature) -> tuple[int, int, int, str]:
    """Sorts features by how much their name says to a reader, best first."""
    lettered = any(token[0].isalpha() for token in feature.tokens)
    rank = 0 if lettered else 2 if feature.tokens else 1
    return rank + 3 * (feature.kind == "length"), _ORDER.index(feature.kind), len(feature.tokens), feature.name
