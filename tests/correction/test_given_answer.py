"""The row's own answer, or another model's, against the model's own."""

import pytest
from support import prompt

from pairforge.correction.given_answer import PartnerAnswer, ReferenceAnswer
from pairforge.correction.renaming import CorrectionRules
from pairforge.pairers import Edited
from pairforge.rename import Renamer
from pairforge.types import Answer, Skip

ASKED = prompt("Who are you?", reference="I am Athene.")


@pytest.mark.parametrize(
    ("own", "made"),
    [
        ("I am Qwen.", Edited("I am Qwen.", "I am Athene.")),
        ("i am  athene.", Skip("nothing_to_correct", "i am  athene.")),
        ("Athene, at your service.", Skip("nothing_to_correct", "Athene, at your service.")),
        (" ", Skip("empty", " ")),
    ],
)
def test_the_answer_of_the_row_is_chosen_where_the_model_lacks_its_names(own: str, made: Edited | Skip) -> None:
    edit = ReferenceAnswer(CorrectionRules(Renamer({})), {"name": "Athene"})
    assert edit(ASKED, Answer(own, "stop")) == made
    assert edit(prompt("Who?"), Answer(own, "stop")) == Skip("no_reference", "Who?")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ([Answer("cut", "length"), Answer("Better.", "stop")], Edited("Good.", "Better.")),
        ([Answer("GOOD.", "stop")], Skip("identical", "Good.")),
        ([Answer("cut", "length")], Skip("cut_off", "cut")),
        (Skip("failed", "timeout"), Skip("failed", "timeout")),
    ],
)
def test_the_first_whole_answer_of_the_partner_is_chosen(given: list[Answer] | Skip, made: Edited | Skip) -> None:
    assert PartnerAnswer({}, {ASKED.id: given})(ASKED, Answer("Good.", "stop")) == made
