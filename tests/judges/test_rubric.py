"""Every bundled rubric asks a whole question, and a file with a part missing is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import prompt

from pairforge import InputError
from pairforge.judges.rubric import NEEDED, Rubric
from pairforge.resources import resource

BUNDLED = sorted(file.stem for file in resource("data", "judges").glob("*.txt"))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_rubric_asks_a_whole_question(name: str) -> None:
    rubric = Rubric.named(name)
    asked = prompt("What is 2 + 3?", reference="5")
    for question in (rubric.rating(asked, "It is 5.", False), rubric.comparison(asked, "It is 5.", "6")):
        text = question.question
        assert "{" not in text.replace('{"', "") and '"reference": "5"' in text and "It is 5." in text
        assert rubric.parts["criteria"] in text and question.system == rubric.parts["system"]
    up, down = (rubric.rating(asked, "5", descending).question for descending in (False, True))
    low, high = rubric.parts["low"], rubric.parts["high"]
    assert up.index(low) < up.index(high) and down.index(high) < down.index(low)


def test_there_are_three_in_two_languages() -> None:
    assert BUNDLED == ["correctness", "correctness_zh", "helpfulness", "helpfulness_zh", "identity", "identity_zh"]


def test_a_prompt_without_a_reference_has_none_in_the_question() -> None:
    assert "reference" not in Rubric.named("helpfulness").rating(prompt("Q?"), "a", False).question


def test_a_file_of_ones_own_is_read_and_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("A remark.\n" + "".join(f"[{part}]\nmy {part} {{mark}}\n" for part in NEEDED))
    mine = Rubric.named(str(file))
    assert mine.name == "mine.txt" and mine.parts["criteria"] == "my criteria {mark}"
    assert mine.id != Rubric.named("helpfulness").id
    file.write_text("[system]\nx\n")
    with pytest.raises(InputError, match=r"mine.txt has no section \[data\]"):
        Rubric.named(str(file))


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such rubric or file") as raised:
        Rubric.named("helpfulnes")
    assert "helpfulness" in str(raised.value.fix)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="can't be read"):
        Rubric.named(str(tmp_path / "b.txt"))
