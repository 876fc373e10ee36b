"""Error messages that a program stored in place of an answer, as opposed to answers about errors.

`is_error` finds whatever may be one, `is_surely_error` those that can't be the answer to the question.
"""

from __future__ import annotations

import re

from ..resources import compiled, patterns
from ..text import INVISIBLE, characters, json_value

_SHORT = 500
"""Longer texts are answers, unless they are a dump of some program's."""
_ASKED = 4000
"""Characters of a question that are looked at."""
_WRAPPED = " \t\r\n\"'`*_~<>[](){}#-=!?.:;,|$\\/⚠️❌🚫🛑"
_UNSEEN = frozenset(characters(INVISIBLE))
_PATTERNS = patterns("error_messages")
_FIRST, _FIRST_ELSEWHERE, _EMPTY, _FAULT_KEYS, _REPORT_KEYS = (
    frozenset(" ".join(_PATTERNS[section]).split())
    for section in ("first_words", "first_words_elsewhere", "nothing", "fault_keys", "report_keys")
)
_NOTHING = _EMPTY.union(*((phrase, f"{phrase}.") for phrase in _PATTERNS["nothing_said"]))
_FIRST_LETTERS = frozenset(_PATTERNS["first_letters"][0])
_WORD = re.compile(r"[^\W\d_]+")
_DUMPED = ("Traceback (", "traceback (", "Exception in thread", "<", "`", "{", "[")


def is_surely_error(text: str, question: str) -> bool:
    """Return True if a text of which `is_error` is true can't be the answer to the question."""
    asked = question[:_ASKED].lower()
    if compiled("error_messages", "about_errors").search(asked):
        return False
    whole = text.strip()[: _SHORT * 2].lower()
    reason = compiled("error_messages", "cause").search(whole)
    if reason and re.search(rf"(?<![a-z]){re.escape(reason.group())}", asked):
        return False
    if any(_is(one, "surely") for one in (whole, _unwrapped(whole))):
        return True
    if compiled("error_messages", "about_programs").search(asked):
        return False
    dump = text.lstrip()
    return (dump.startswith(_DUMPED) and _is_dump(dump)) or _is(_unwrapped(whole), "surely_of_programs")


def is_error(text: str) -> bool:
    """Return True if the whole text may be what a program says when it has no answer."""
    first = text[:1]
    if len(text) >= 40 and first.isalnum() and not first.isascii() and first.lower() not in _FIRST_LETTERS:
        return False
    if len(text) <= _SHORT:
        if _says_so(_unwrapped(text)):
            return True
        if len(text) < 40 and text.strip(" \t\r\n\"'`*_<>|[](){}$-").lower() in _NOTHING:
            return True
    text = text.lstrip()
    return text.startswith(_DUMPED) and _is_dump(text)


def _is_dump(text: str) -> bool:
    if text[0] in "{[`" and len(text) <= _SHORT * 8 and _is_error_object(text):
        return True
    return compiled("error_messages", "dump").match(_unwrapped(text[: _SHORT * 2]).lower()) is not None


def _unwrapped(text: str) -> str:
    text = text.lstrip(_WRAPPED)
    # So many characters are costly to strip: only where there is one of them.
    return text.lstrip(_WRAPPED + "".join(_UNSEEN)) if text[:1] in _UNSEEN else text


def _says_so(head: str) -> bool:
    part = head[:60].lower()
    if not part[:1].isascii():
        return part[:1] in _FIRST_LETTERS and _is(head, "other_languages")
    word = _WORD.match(part)
    first = word.group() if word is not None else ""
    if first in _FIRST_ELSEWHERE and _is(head, "other_languages"):
        return True
    # Written out: a loop would cost more than all else here.
    if ("rror" in part or "limit" in part or "quota" in part or "xception" in part or "timeout" in part
            or "credit" in part or "interrupt" in part) and _is(head, "any_beginning"):  # fmt: skip
        return True
    return (first in _FIRST or not first) and _is(head, "english")


def _is(text: str, section: str) -> bool:
    return compiled("error_messages", section).fullmatch(text.lower()) is not None


def _is_error_object(text: str) -> bool:
    """JSON (or a Python dict as it is printed) that only reports a failure."""
    text = text.strip("` \n").removeprefix("json").strip()
    if (value := json_value(text)) is None:
        return re.match(r"\[?\{\s*'(?:error|errors|exception)'\s*:", text) is not None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or not value:
        return False
    found = {str(key).lower(): item for key, item in value.items()}
    if found.keys() & _FAULT_KEYS:
        return found.keys() <= _FAULT_KEYS | _REPORT_KEYS and any(found.get(key) for key in _FAULT_KEYS)
    if not found.keys() <= _REPORT_KEYS:
        return False
    codes = [found[key] for key in ("code", "status", "statuscode", "status_code") if key in found]
    said = " ".join(str(found[key]) for key in ("message", "msg", "detail", "object", "type", "title") if key in found)
    faulty = any(str(code).isdecimal() and 400 <= int(str(code)[:9]) < 600 for code in codes)
    return faulty or found.get("success") is False or found.get("ok") is False or is_error(said[:_SHORT])
