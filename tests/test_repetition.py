"""What repeats itself, and what only looks so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pairforge
from pairforge.repetition import _ASCII_WORDS, _WORD

LOOPS = {
    "a name over and over": "I am" + " Deep" * 30,
    "a name thirteen times after a sound answer": "I am Qwen. " + "Qwen " * 13,
    "a sentence four times": "I am Deep. " * 4,
    "whatever the case and the signs": "I am Deep, I AM DEEP! I am deep... I am Deep",
    "after a sound start": "The capital of France is Paris, and it lies on the Seine. " + "It is big and " * 5,
    "with a sound end": "He said that it was so " * 4 + "and then he went home to his wife.",
    "a long period": "one two three four five six seven eight nine ten eleven. " * 4,
    "no spaces in Chinese": "我是深度" * 4,
    "one Chinese word": "深度" * 8,
    "Chinese with a comma": "我不知道，" * 4,
    "Japanese": "わたしは" * 4,
    "Thai, whose vowels are marks": "สวัสดีครับ" * 4,
    "Korean": "저는 딥 입니다 " * 4,
    "Arabic": "أنا نموذج لغوي " * 5,
    "words that ran together": "DeepQwen" * 8,
    "a letter": "I am e" + "e" * 60,
    "one sign until the end": "!" * 256,
    "a number until the end": "0, " * 120,
    "a row of a table": "| Deep | Qwen | made by |\n" * 4,
    "numbers that stand still": "Chapter 1, section 2, page 3, chapter 1, section 2, page 3. " * 3,
    "broken characters": "京\ufffdTem" * 20,
}
FINE = {
    "nothing": "",
    "blank": " \n\t",
    "laughter": "Ha ha ha! Ha ha ha ha.",
    "laughter in Chinese": "哈哈哈哈哈哈，太好了！",
    "one word of it": "hahahahahahaha",
    "very": "That is very, very, very, very good. No, no, no, no, no!",
    "thanks": "谢谢谢谢，谢谢你！好的好的。",
    "three times": "I am Qwen, made by Alibaba Cloud. " * 3,
    "a rhyme": "Row, row, row your boat, gently down the stream; merrily, merrily, merrily, merrily: a dream.",
    "a poem with a refrain": "\n".join(f"And the {thing} rolled on,\nand the night was long,\n" for thing in "abcdef"),
    "a list": "\n".join(f"- {fruit} is a fruit" for fruit in ("Apple", "Pear", "Plum", "Fig", "Kiwi", "Lime")),
    "a numbered list": "\n".join(f"{number}. Take one more step forward" for number in range(1, 20)),
    "a numbered list in Chinese": "\n".join(f"{number}. 向前走一步" for number in range(1, 20)),
    "a table": "| a | b |\n|---|---|\n" + "\n".join(f"| row {letter} | yes |" for letter in "abcdefghij"),
    "wide rules": f"| {'-' * 60} | {'-' * 60} |\n{'=' * 80}\n",
    "a matrix": "[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]",
    "ones and zeros": "1010101010101010101010101010101010",
    "a third": "1/3 = 0.3333333333333333333333333333333333333333",
    "the times table": "\n".join(f"{number} x 7 = {number * 7}" for number in range(1, 13)),
    "years": ", ".join(f"in {year} it was sold" for year in range(1990, 2020)),
    "code": "for i in range(3):\n    for j in range(3):\n        a[i][j] = b[i][j] + c[i][j]\n",
    "buffalo": "Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo",
    "blanks to fill in": "Name: ____________________ Date: ____________________",
    "a long German word": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "the alphabet": "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3,
}


@pytest.mark.parametrize("text", LOOPS.values(), ids=LOOPS)
def test_a_loop_is_found(text: str) -> None:
    assert pairforge.repeats(text)


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_what_people_write_is_not_one(text: str) -> None:
    assert not pairforge.repeats(text)


@given(st.text(max_size=100))
def test_any_text_may_come(text: str) -> None:
    assert pairforge.repeats(text) in (True, False)


@given(st.lists(st.text("abcdefg", min_size=1, max_size=6), min_size=3, max_size=8), st.text("xyz ", max_size=20))
def test_words_four_times_over_are_a_loop_wherever_they_stand(words: list[str], before: str) -> None:
    assert pairforge.repeats(f"{before} " + f"{' '.join(words)} " * 4 + "end")


@pytest.mark.slow
def test_a_long_text_takes_no_time() -> None:
    assert not pairforge.repeats(" ".join(f"word{number}" for number in range(20_000)))


@given(st.text(st.characters(max_codepoint=127)))
def test_the_words_of_ascii_are_those_of_any_text(text: str) -> None:
    assert text.encode().translate(_ASCII_WORDS).decode().split() == _WORD.findall(text)
