"""PF1xx: turns within the text of another turn, and texts that were decoded wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .answer_text import CODE
from .row import Sides
from .rule import Seen, clip, rule

# Not Q and A: a task that gives an example in this form, and ends in "A:", is a task as it should be.
_TURN = re.compile(
    r"^[ \t]*[#*_<\[]{0,4} ?(?:"
    r"(user|human|benutzer|usuario|utilisateur|пользователь|用户|ユーザー|사용자)"
    r"|assistant|assistent|ассистент|ai|(?:chat)?bot|(?:chat)?gpt|助手|アシスタント|어시스턴트"
    r")(?:\*\*?|__|\]|>)?[:：]",
    re.I | re.M,
)
"""A speaker's name at the beginning of a line; the first group is there where it is the user's."""
_LEFT_OPEN = re.compile(
    r"(?:\A|\n)[ \t]*[#*_<\[]{0,4} ?(?:(?i:assist[ae]nt|ассистент)|AI|助手|アシスタント)(?:\*\*?|__|\]|>)?[:：]\**\s*\Z"
    r"|\b(?:USER|User|HUMAN|Human): .*\s(?:ASSISTANT|Assistant|AI):\s*\Z",
    re.S,
)
"""A turn of the assistant that is only opened, on a line of its own or behind one of the user's."""
_MARKS = {colon: re.compile(f"{colon}(?<=[tTiIтТ手ト트*_\\]>]{colon})") for colon in ":："}
"""A colon behind the last letter of an assistant's name."""
_DIALOGUE = re.compile(r"dialog|conversation|transcript|interview|script|chat|scene|play\b|对话|聊天|会話|대화", re.I)


@rule("PF126", "warning", marks=_MARKS)
def transcript_in_text(sides: Sides) -> Iterator[Seen]:
    """The question is a transcript that ends with the assistant's turn, or an answer goes on with the user's next one.

    Such as "User: ... Assistant:" in one text. The chat template puts its own turns around these: the model learns to
    write names of speakers, or to speak for the user. As messages, each turn has a role of its own.
    """
    for name, index, role, text in sides.turns():
        if role == "assistant" and "`" in text:
            text = CODE.sub("", text)
        turns, where = [*_TURN.finditer(text)], sides.pointer(name, index) + "/content"
        last = text[turns[-1].start() :].strip() if turns else ""
        if role == "user" and (left := _LEFT_OPEN.search(text)):
            yield f"the question ends where the assistant is to speak: {clip(left[0].strip())}", where
        elif role == "user" and len(turns) > 1 and not turns[-1][1]:
            yield f"the question is a transcript that ends with the assistant's turn: {clip(last)}", where
        elif role == "assistant" and _goes_on(turns) and not _DIALOGUE.search(sides.question):
            yield f"the answer goes on with a turn of the user: {clip(text[turns[0].start() :])}", where


def _goes_on(turns: list[re.Match[str]]) -> bool:
    """Return whether a turn of the user begins, and one of the assistant follows."""
    return bool(turns) and turns[0][1] is not None and any(turn[1] is None for turn in turns)


# What the bytes of a letter in UTF-8, from the second on, look like where each is read as one character of cp1252.
_REST = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_CP1251 = "\x80-\xbf°±µ№Ѓ-ЏЎ-ѓђ-џ‚„…†‡€‰‹‘’“”•–—™›"
_MISREAD = {
    # Not before the marks that end a word in capitals: AMANHÃ”
    "Ã": re.compile(f"Ã[{_REST}](?<![‘’“”…–—])"),
    "Â": re.compile("Â[\xa0-\xa9\xab-\xba\xbc-\xbf]"),
    "â": re.compile(f"â(?:€[{_REST}]|\x80[\x80-\xbf]|„¢|‚¬|†[’\x92])"),
    "ð": re.compile(f"ðŸ[{_REST}]{{2}}"),
    **{lead: re.compile(f"{lead}[{_REST}](?:[Ä-ß][{_REST}]){{2}}") for lead in "ÐÑØÙÎÏ×"},
    **{lead: re.compile(f"{lead}[{_REST}]{{2}}[à-ï][{_REST}]{{2}}") for lead in "ãäåæçèéêëìí"},
    # UTF-8 read as GBK, and what is left of it after another round.
    "锟": re.compile("锟斤拷"),
    "鈥": re.compile("鈥[檚檛檙檒滄淭榯]"),
    # Cyrillic in UTF-8, read as cp1251.
    **{lead: re.compile(f"{lead}[{_CP1251}](?:[РС][{_CP1251}]){{3}}") for lead in "РС"},
}


@rule("PF128", "warning", marks=_MISREAD)
def mojibake(sides: Sides) -> Iterator[Seen]:
    """A text is UTF-8 that was read as another encoding, such as "câ€™est trÃ¨s gentil": the letters are lost.

    The model learns to write such letters. Read the source again as UTF-8, or try ftfy.
    """
    for name, index, _, text in sides.turns():
        for mark, pattern in _MISREAD.items():
            if mark in text and (found := pattern.search(text)):
                near = text[max(0, found.start() - 12) : found.end() + 12]
                yield f"UTF-8 read as another encoding: {clip(near, 40)}", sides.pointer(name, index) + "/content"
                break
