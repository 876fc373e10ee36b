"""Another pair of the same answers: the better still against the worse, not the longer against the shorter."""

from __future__ import annotations

import random
from typing import Any

from pairforge.checks.shortcuts import audit
from pairforge.checks.shortcuts.rebalancing import CueMeasures, Evidence, Repicker, subsample, unintended
from pairforge.types import Answer, Message, Pair, Prompt, digest

WORDS = ("sun", "moon", "star", "sea", "wind", "rain", "tree", "leaf", "stone", "river", "hill", "road", "bird", "fire")


def world(count: int = 200, columns: bool = True) -> tuple[list[dict[str, Any]], Evidence]:
    """On-policy pairs of four answers, of which longer ones mostly score better; best and worst as they come."""
    draw = random.Random(0)
    answers, scores, rows = {}, {}, []
    for number in range(count):
        prompt = Prompt((Message(role="user", content=f"Question {number}?"),), {"hint": "h"} if columns else {})
        name = digest([prompt.id, prompt.columns])
        said = {}
        for index in range(4):
            length = draw.randint(4, 24)
            text = " ".join(draw.choices(WORDS, k=length)) + "."
            answers[prompt.id, index] = Answer(text, "stop")
            scores[name, digest(text)] = said[text] = length / 40 + draw.random()
        best, worst = max(said, key=said.__getitem__), min(said, key=said.__getitem__)
        fixed = {"method": "best_worst", "model": "m", "judge": "j"}
        pair = Pair.of(prompt, best, worst, chosen_score=said[best], rejected_score=said[worst], **fixed)
        rows.append(pair.row())
    return rows, Evidence(answers, scores)


def repicked(rows: list[dict[str, Any]], evidence: Evidence) -> tuple[list[dict[str, Any]], Repicker]:
    repicker = Repicker(CueMeasures(unintended(audit(rows).cues)), evidence, rows)
    return [repicker.pick(row) or row for row in rows], repicker


def test_length_no_longer_tells_the_sides_apart() -> None:
    rows, evidence = world()
    made, repicker = repicked(rows, evidence)
    before, after = audit(rows), audit(made)
    assert before.verdict in ("high", "critical") and after.verdict in ("ok", "watch")
    assert before.by["length"].value > 0.75 and after.by["length"].value < 0.65
    assert not any(cue.kind == "length" for cue in unintended(after.cues))
    assert repicker.unknown == 0
    for old, new in zip(rows, made, strict=True):
        margins = [row["chosen_score"] - row["rejected_score"] for row in (old, new)]
        assert margins[1] >= 0.5 * margins[0]
        assert new["prompt_id"] == old["prompt_id"] and new.keys() == old.keys() and new["judge"] == "j"
        texts = [new[side][-1]["content"] for side in ("chosen", "rejected")]
        assert [evidence.scored(old)[text] for text in texts] == [new["chosen_score"], new["rejected_score"]]
        assert new["id"] == digest([new["chosen"], new["rejected"]])


def test_the_margin_that_the_run_asked_for_holds() -> None:
    rows, evidence = world(60)
    strict = Evidence(evidence.answers, evidence.scores, margin=0.9)
    rows = [row for row in rows if row["chosen_score"] - row["rejected_score"] > 0.9]
    made, _ = repicked(rows, strict)
    assert made != rows and all(row["chosen_score"] - row["rejected_score"] > 0.9 for row in made)


def test_what_the_evidence_does_not_know_stays() -> None:
    rows, evidence = world(40)
    other = rows[0] | {"chosen_score": 9.0}
    gone = rows[1] | {"prompt_id": "none"}
    made, repicker = repicked([other, gone, *rows[2:]], evidence)
    assert made[:2] == [other, gone] and repicker.unknown == 2
    # The same answers to two prompts, scored alike but for one: which is whose is not certain.
    texts = [answer.text for (name, _), answer in evidence.answers.items() if name == rows[2]["prompt_id"]]
    own = [rows[2][side][-1]["content"] for side in ("chosen", "rejected")]
    known = evidence.scored(rows[2])
    twin = {("twin", digest(text)): known[text] + (text not in own) for text in texts}
    assert evidence.scored(rows[2]) and not Evidence(evidence.answers, {**evidence.scores, **twin}).scored(rows[2])
    same = {("twin", digest(text)): known[text] for text in texts}
    assert Evidence(evidence.answers, {**evidence.scores, **same}).scored(rows[2]) == known


def test_fewer_rows_where_one_side_has_more() -> None:
    rows, _ = world(300)
    draw = random.Random(1)
    even = []
    for row in rows:
        swap = draw.random() < 0.5
        even.append({**row, "chosen": row["rejected"], "rejected": row["chosen"]} if swap else row)
    for number, row in enumerate(even[:40]):
        side = "rejected" if number % 20 == 0 else "chosen"
        said = "Certainly! " + row[side][-1]["content"]
        row[side] = [row[side][0], {"role": "assistant", "content": said}]
    measures = CueMeasures(unintended(audit(even).cues))
    assert measures.cues
    gone, left = subsample(enumerate(even), measures, seed=0)
    assert len(gone) == 36 and not left
    rest = [row for number, row in enumerate(even) if number not in gone]
    assert abs(sum(measures.signs(row) for row in rest)[-1]) <= 1
    assert gone == subsample(enumerate(even), measures, seed=0)[0] != subsample(enumerate(even), measures, seed=1)[0]
    measures = CueMeasures(unintended(audit(rows).cues))
    assert subsample(enumerate(rows), measures, seed=0) == ({}, [cue.phrase for cue in measures.cues])
