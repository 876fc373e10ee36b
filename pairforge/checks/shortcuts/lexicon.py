"""Habits that show in single tokens: how much each token adds to them. Known once per token, summed over texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .spelling import MISSPELT

Value: TypeAlias = Callable[[str], float]


def _characters(pattern: str) -> Value:
    find = re.compile(f"[{pattern}]").findall
    return lambda token: len(find(token))


def _said(words: str) -> Value:
    known = frozenset(words.split())
    return lambda token: token.lower() in known


def _like(pattern: str, flags: int = re.I) -> Value:
    match = re.compile(pattern, flags).fullmatch
    return lambda token: match(token) is not None


def _one_of(marks: Iterable[str]) -> Value:
    known = frozenset(marks)
    return lambda token: token in known


_OUR = "col|fav|flav|hon|hum|lab|neighb|rum|behavi|harb|vap|endeav|sav|vig"
_ISE = "organ|real|recogn|emphas|apolog|character|critic|maxim|minim|optim|priorit|summar|util|special|visual|categor"
_ISE += "|customi?|general|symbol|stabil|standard|modern|familiar|final|capital|civil|author|energ|memor|penal|revital"
_RE, _LL = "cent|theat|met|fib|lit|calib", "trave|cance|mode|labe|signa|fue"
_BRITISH = (
    rf"(?:{_OUR})our\w*|(?:{_ISE})is(?:e[dsr]?|ing|ation\w*)|(?:anal|paral|catal)ys(?:e[ds]|ing)|(?:{_RE})res?|"
    rf"(?:{_LL})ll(?:ed|ing|ers?)|programmes?|defence|licence|offence|pretence|grey|learnt|spelt|dreamt|whilst|amongst|"
    r"cheques?|tyres?|catalogues?|dialogues?|jewellery|ageing|judgement|aluminium|maths|pyjamas|moustache"
)
_AMERICAN = (
    rf"(?:{_OUR})or(?!y)\w*|(?:{_ISE})iz(?:e[dsr]?|ing|ation\w*)|(?:anal|paral|catal)yz(?:e[ds]|ing)|(?:{_RE})ers?|"
    rf"(?:{_LL})l(?:ed|ing|ers?)|programs?|defense|license|offense|pretense|gray|learned|catalogs?|dialogs?"
)
_ROMANCE = (
    "el los las una que por para está le les des est une dans pour avec der das und ist nicht ein eine mit il che di"
)

LEXICON: dict[str, Value] = {
    "full stops": _one_of(".。"),
    "commas": _one_of(",，、"),
    "exclamation marks": _one_of("!！"),
    "question marks": _one_of("?？"),
    "colons": _one_of(":："),
    "semicolons": _one_of(";；"),
    "dashes": _one_of("—–―"),
    "round brackets": _one_of("(（"),
    "square brackets": _one_of("[【"),
    "curly brackets": _one_of("{"),
    "straight quotation marks": _one_of('"'),
    "curly quotation marks": _characters("“”„‚«»"),
    "curly apostrophes": _characters("‘’"),
    "corner brackets": _one_of("「『《"),
    "slashes": _one_of("/\\"),
    "asterisks": _one_of("*"),
    "currency and percent signs": _one_of("$€£¥₹%％"),
    "emoji": _characters("\u2600-\u27bf\u2b50-\u2b55\U0001f000-\U0001faff"),
    "symbols": _characters("\u2010-\u2012\u2020-\u2022\u2030-\u205e\u2070-\u25ff\u2b00-\u2b4f\u2b56-\u2bff™®©°§¶±×÷·"),
    "full-width characters": _characters("\uff01-\uff5e"),
    "invisible characters": _characters(
        "\u00a0\u00ad\u115f\u200b-\u200f\u202a-\u202f\u2060-\u206f\u3000\ufe00-\ufe0f\ufeff"
    ),
    "control characters": _characters("\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd"),
    "digits": lambda token: len(token) if token.isdigit() else 0,
    "numbers": str.isdigit,
    "years": _like(r"1[5-9]\d\d|20\d\d"),
    "numbers in words": _said(
        "two three four five six seven eight nine ten twelve twenty hundred thousand million 二 三 四 五"
    ),
    "capital letters": lambda token: sum(map(str.isupper, token)),
    "words in capitals": lambda token: len(token) > 1 and token.isupper(),
    "capitalised words": lambda token: len(token) > 1 and token.istitle(),
    "long words": lambda token: len(token) > 9 and token.isalpha(),
    "Chinese characters": _characters("\u4e00-\u9fff"),
    "Japanese kana": _characters("\u3040-\u30ff"),
    "Korean letters": _characters("\uac00-\ud7af"),
    "Cyrillic letters": _characters("\u0400-\u04ff"),
    "accented letters": _characters("\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff"),
    "non-ASCII characters": lambda token: 0 if token.isascii() else sum(not one.isascii() for one in token),
    "Latin words": lambda token: token.isascii() and token.isalpha(),
    "British spellings": _like(_BRITISH),
    "American spellings": _like(_AMERICAN),
    "misspelt words": lambda token: token.lower() in MISSPELT,
    "contractions": lambda token: len(token) > 1 and ("'" in token or "’" in token),
    "first person": _said("i me my mine myself i'm i’m i've i’ve i'd i’d i'll i’ll 我"),
    "first person plural": _said("we us our ours we're we’re we've we’ve let's let’s 们"),
    "second person": _said("you your yours yourself you're you’re you'll you’ll you've you’ve 你 您"),
    "connectives": _said("however therefore moreover furthermore additionally thus hence consequently nevertheless"),
    "hedges": _said(
        "maybe perhaps possibly probably presumably arguably conceivably supposedly apparently seemingly likely "
        "allegedly roughly approximately somewhat"
    ),
    "modal verbs": _said("may might could should must shall ought seem seems"),
    "negations": _said("not no never none nothing nobody nowhere neither nor cannot 不 没 无"),
    "conjunctions at the start": _like("And|But|Or|Nor|So|Yet|Because|Also|Plus|Then|Still", 0),
    "adverbs": _like(r"[a-z]{3,}ly"),
    "intensifiers": _said("very really extremely absolutely truly highly incredibly totally completely quite so"),
    "politeness": _said("please thanks thank kindly welcome pleasure delighted grateful obliged 请 谢"),
    "forms of address": _said("sir madam ma'am friend friends buddy mate dear folks pal dude bro honey darling 亲"),
    "interjections": _said("um uh er erm hmm oh ah aha wow oops yay ugh huh alas haha 嗯 呃 哦 噢 唉 哎 诶 哈"),
    "modal particles": _said("吧 呢 啊 呀 嘛 啦 咯 喔 嗎 吗"),
    "slang": _said("gonna wanna gotta kinda sorta lemme dunno yeah yep yup nope ain't y'all lol omg btw imo tbh"),
    "legal language": _said("hereby herein thereof therein thereby wherein whereby henceforth aforementioned pursuant"),
    "units of measure": _said("kg km cm mm mg ml lb lbs oz ft mph kph gb mb kb tb kwh kw hz mhz ghz hrs mins sqft"),
    "stretched words": _like(r"(?!www)[^\W\d_]*?(?![ivx])([^\W\d_])\1\1[^\W\d_]*"),
    "words with capitals inside": _like(r"[a-z]+[A-Z]\w*", 0),
    "function words of other languages": _said(_ROMANCE),
}
"""Each habit by its name."""
