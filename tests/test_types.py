"""The nouns: identity by content, contexts, and rows that are plain JSON."""

import json

from pairforge.text import visible
from pairforge.types import Finding, Message, Pair, Prompt, digest

ASKED = Prompt((Message(role="user", content="你是谁？"),), {"lang": "zh"})


def test_a_prompt_is_known_by_its_messages_alone() -> None:
    same = Prompt(({"content": "你是谁？", "role": "user"},))
    assert same.id == ASKED.id and same == ASKED
    assert ASKED.in_context("Be kind.").id != ASKED.id


def test_a_context_comes_first_and_never_replaces_one() -> None:
    placed = ASKED.in_context("Be kind.")
    assert placed.system == "Be kind." and placed.question == "你是谁？" and placed.columns == {"lang": "zh"}
    assert placed.in_context("Other.") is placed
    assert ASKED.in_context(None) is ASKED and ASKED.system is None


def test_a_pair_is_a_flat_row_of_json() -> None:
    columns = {"method": "correct", "model": "m", "judge": "rename", "chosen_score": 1.0, "rejected_score": 0.0}
    row = Pair.of(ASKED, "yes", "no", **columns).row()
    assert json.loads(json.dumps(row)) == row
    assert row["chosen"] == [*ASKED.messages, {"role": "assistant", "content": "yes"}]
    assert row["id"] == Pair.of(ASKED, "yes", "no", **columns).id != Pair.of(ASKED, "no", "yes", **columns).id


def test_a_finding_is_one_flat_object() -> None:
    assert Finding("PF104", "error", "same", 3, "/chosen", {"feature": "x"}).as_json() == {
        "code": "PF104", "severity": "error", "message": "same", "row": 3, "path": "/chosen", "feature": "x",
    }  # fmt: skip


def test_a_digest_is_of_the_canonical_form() -> None:
    assert digest({"a": 1, "b": "é"}) == digest({"b": "é", "a": 1}) != digest({"a": 1, "b": "e"})
    assert len(digest("\ud800", 10)) == 10


def test_what_acts_on_a_terminal_or_breaks_it_is_shown_as_an_escape() -> None:
    assert visible("a\x1b\u202e\ufeff\ud800\udfffb 😀\n") == r"a\x1b\u202e\ufeff\ud800\udfffb 😀" + "\n"
