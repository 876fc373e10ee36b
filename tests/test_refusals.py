"""Refusals are told in one place: `correct` leaves out what `validate` calls a refusal, and nothing else."""

from __future__ import annotations

import pytest

from pairforge.api.validate import validate
from pairforge.checks.shortcuts.style import STYLE
from pairforge.correction.renaming import CorrectionRules
from pairforge.rename.renamer import renamer
from pairforge.types import Answer, Message, Prompt, Skip

REFUSALS = """
I won't do that.
I must respectfully decline.
I can't help with that.
I'm sorry, but I cannot continue.
I refuse.
I must decline to answer that.
Sorry, I don't feel comfortable with that.
As an AI, I cannot give medical advice.
My apologies, I will not write that.
Leider darf ich das nicht beantworten.
Ich kann diese Frage nicht beantworten.
Je ne peux pas vous aider.
Lo siento, no puedo ayudarte con eso.
Извините, но я не могу ответить.
Maaf, saya tidak bisa membantu.
很抱歉，我没法帮助你。
我没法回答这个问题。
申し訳ありませんが、お答えできません。
죄송하지만 도와드릴 수 없습니다.
عذراً، لا أستطيع مساعدتك.
Maalesef bunu yapamam.
""".strip().split("\n")
ANSWERS = """
I can't wait to help you with that!
Unfortunately, the bridge cannot be crossed by trucks.
Unfortunately I can't remember the exact name, but the film is Alien.
I can't help but admire that.
I will not bore you: the answer is 4.
I'm sorry to hear that. Try turning it off.
I refuse to believe that it is over.
Leider regnet es nicht.
对不起，让你久等了。答案是四。
""".strip().split("\n")


@pytest.mark.parametrize("text", [*REFUSALS, *ANSWERS])
def test_correct_and_validate_agree(text: str) -> None:
    question = Message(role="user", content="What is it?")
    read = CorrectionRules(renamer({"Qwen": "Athene"})).skip(Prompt((question,)), Answer(text, "stop"))
    assert isinstance(read, Skip)
    assert (read.reason == "refused") == (text in REFUSALS)
    sides = {"chosen": text, "rejected": "It is a lamp, I think, and a rather old one."}
    row = {side: [question, {"role": "assistant", "content": said}] for side, said in sides.items()}
    assert ("PF112" in validate([row]).counts) == (text in REFUSALS)
    assert text in ANSWERS or STYLE["apologies and refusals"](text) > 0
