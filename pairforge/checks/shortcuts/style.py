"""Habits of style that show in a whole text, each as a number; votes go to the side that has more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq
from typing import TypeAlias

Measure: TypeAlias = Callable[[str], float]


def _pattern(pattern: str, *marks: str) -> Measure:
    """The number of matches; not looked for where none of the marks stands."""
    find = re.compile(pattern).findall
    return lambda text: len(find(text)) if not marks or any(mark in text for mark in marks) else 0


def _beyond_ascii(pattern: str) -> Measure:
    """The number of matches; not looked for in plain ASCII."""
    find = re.compile(pattern).findall
    return lambda text: 0 if text.isascii() else len(find(text))


def _lines(pattern: str) -> Measure:
    """The number of lines that begin so."""
    match = re.compile(pattern).match
    return lambda text: sum(match(line) is not None for line in text.split("\n"))


def _begins(pattern: str, flags: int = 0) -> Measure:
    match = re.compile(pattern, flags).match
    return lambda text: match(text) is not None


def _ends(characters: str, text: str) -> bool:
    return text.rstrip()[-1:] in tuple(characters)


def _marks(*marks: str) -> Measure:
    return lambda text: sum(map(text.count, marks))


def _said(phrases: str) -> Measure:
    """How often the phrases, in small letters and parted by bars, stand in the text."""
    known = phrases.split("|")
    return lambda text: sum(map(text.lower().count, known))


def _variety(text: str) -> float:
    found = text.split()
    return len(set(found)) / len(found) if len(found) > 9 else 0.0


def _doubled(text: str) -> float:
    found = text.lower().split()
    return float(sum(map(eq, found, found[1:])))


def _letters_a_word(text: str) -> float:
    found = text.split()
    return sum(map(len, found)) / max(1, len(found))


def _sentences(text: str) -> int:
    text = text.strip()
    return text.count(". ") + text.count("? ") + text.count("! ") + text.count("\n") + text.count("。") + 1


def _words_a_sentence(text: str) -> float:
    return len(text.split()) / _sentences(text)


def _repeated(text: str) -> float:
    found = [line for line in text.replace("\n", ". ").replace("。", ". ").split(". ") if len(line) > 12]
    return len(found) - len(set(found))


STYLE: dict[str, Measure] = {
    "lines": _marks("\n"),
    "paragraphs": _marks("\n\n"),
    "sentences": _sentences,
    "headers": _lines(r"#{1,6} "),
    "bullet points": _lines(r"[ \t]*[-*•+] "),
    "numbered points": _lines(r"[ \t]*(?:\d+|[a-zA-Z])[.)、]"),
    "table rows": _lines(r"\|.*\|"),
    "block quotes": _lines(r">"),
    "rules": _lines(r"[-*_=]{3,}\s*$"),
    "labels": _lines(r"\W{0,3}[A-Z]\w*(?: \w+){0,2}\W{0,2}:"),
    "bold text": _pattern(r"\*\*[^*\n]+\*\*", "**"),
    "italic text": _pattern(r"(?<![*\w])[*_][^*_\s][^*_\n]*[*_](?![*\w])", "*", "_"),
    "code blocks": _marks("```", "~~~"),
    "inline code": _pattern(r"(?<!`)`[^`\n]+`(?!`)", "`"),
    "links": _marks("http://", "https://", "www.", "]("),
    "HTML tags": _pattern(r"</?[a-zA-Z][^<>\n]{0,40}>", "<"),
    "HTML entities": _pattern(r"&(?:[a-z]+|#\d+);", "&"),
    "formulas": _pattern(r"\$[^$\n]+\$|\\[a-zA-Z]{2,}|\\[(\[]", "$", "\\"),
    "serial commas": _marks(", and ", ", or "),
    "hyphens": _marks("-"),
    "ellipses": _marks("...", "…"),
    "repeated marks": _pattern(
        r"(?<!\.)\.\.(?!\.)|[!?！？]{2}|([。，；])\1",
        *("..", "!!", "??", "!?", "?!", "！！", "？？", "。。", "，，", "；；"),
    ),
    "emoticons": _pattern(
        r"(?<![\w:])(?:[:;=]['-]?[)(DPp]|[xX]D|\^_?\^|<3|[:;]-?[/|]|\([:;]|T_T)(?![\w/])",
        *(":)", ":(", ":-", ":D", ":P", ":p", ":/", ":|", ";)", ";-", "=)", "=D"),
        *("xD", "XD", "^^", "^_^", "<3", "(:", "(;", "T_T"),
    ),
    "quoted words": _pattern(r"(?<!\w)[\"'“‘«「『]\w+[\"'”’»」』](?!\w)", *"\"'“‘«「『"),
    "names of code": _pattern(r"\b[A-Za-z]+(?:_[A-Za-z0-9]+)+\b|\w\(\)|\b\w+\.\w+\(", "_", "(", ")"),
    "spaces beside Chinese": _beyond_ascii(r"(?<=[\u4e00-\u9fff]) (?=\w)|(?<=\w) (?=[\u4e00-\u9fff])"),
    "hashtags and mentions": _pattern(r"(?<!\w)[#@][^\W\d]\w+", "#", "@"),
    "times": _pattern(r"\b\d{1,2}:\d\d\b", ":"),
    "uncontracted forms": _marks(
        *("do not", "does not", "did not", "is not", "are not", "was not", "were not", "could not", "should not"),
        *("would not", "will not", "cannot", "I am", "I have", "I will", "t is"),
    ),
    "apologies and refusals": _said(
        "sorry|apolog|i cannot|i can't|i can’t|i'm unable|i am unable|i'm not able|as an ai|i don’t think|"
        "抱歉|对不起|作为人工智能|作为一个人工智能|作为ai"
    ),
    "affirmative openings": _begins(
        r"\W*(?:certainly|sure|of course|absolutely|definitely|yes|great question|happy to|当然|好的|是的)", re.I
    ),
    "greetings": _begins(r"\W*(?:(?:hi|hello|hey|dear|greetings|good (?:morning|day))\b|你好|您好)", re.I),
    "offers and closing phrases": _said(
        "hope this|hope that|hope it|let me know|feel free|happy to help|regards|best wishes|good luck|anything else|"
        "希望|请告诉我|随时|祝"
    ),
    "summaries": _said("in conclusion|in summary|in short|to sum up|to summar|overall|总之|综上|总的来说"),
    "hedging phrases": _said(
        "in a sense|to some extent|to some degree|more or less|sort of|kind of|it seems|so to speak|as far as i|"
        "也许|或许|大概|恐怕|似乎|据说"
    ),
    "opinions": _said(
        "i think|i believe|i guess|i feel|i suppose|in my opinion|in my view|personally|我认为|我觉得|我想|在我看来"
    ),
    "words of order": _said("first,|firstly|second,|secondly|third,|next,|finally|lastly|step |首先|其次|最后|步骤"),
    "sources": _said("according to|studies|research|experts|source|et al|researchers|根据|研究|专家"),
    "disclaimers": _said(
        "consult|professional|not a substitute|not a doctor|not a lawyer|disclaimer|at your own risk|请咨询|仅供参考"
    ),
    "praise and sympathy": _said(
        "great question|good question|excellent question|good point|great choice|i understand|i'm glad|i am glad|"
        "thank you for|thanks for|that's great|well done|我理解|很高兴|好问题"
    ),
    "mentions of being a machine": _said(
        "language model|an ai|ai assistant|artificial intelligence|my training|人工智能|语言模型|我的训练"
    ),
    "abbreviations": _said("e.g.|i.e.|etc|vs.|et al|a.k.a|approx.|asap|fyi|per se|ad hoc|vice versa|de facto"),
    "remarks": _said("note that|note:|important|remember|keep in mind|for example|for instance|e.g.|例如"),
    "doubled words": _doubled,
    "repeated sentences": _repeated,
    "variety of words": _variety,
    "letters a word": _letters_a_word,
    "words a sentence": _words_a_sentence,
    "spaces at the start": _begins(r"[^\S\n]"),
    "line breaks at the start": _begins(r"\s*\n"),
    "spaces at the end": lambda text: text[-1:].isspace() and text[-1:] != "\n",
    "line breaks at the end": lambda text: "\n" in text[len(text.rstrip()) :],
    "double spaces": _pattern(r"(?<=\S)  +(?=\S)", "  "),
    "spaces at the end of lines": _marks(" \n", "\t\n"),
    "indented lines": _marks("\n ", "\n\t"),
    "tabs": _marks("\t"),
    "blank lines in a row": _marks("\n\n\n"),
    "spaces before marks": _marks(" ,", " .", " ;", " :", " !", " ?"),
    "marks without a space": _pattern(r"[,;!?][A-Za-z]|[a-z]\.[A-Z]"),
    "carriage returns": _marks("\r"),
    "template tokens": _pattern(
        r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?(?:INST|SYS)\]|<</?SYS>>|</?think>|<(?:start|end)_of_turn>|<no(?:in|out)put>|"
        r"(?:^|\n)#{2,3} ?(?:Instruction|Response|Human|Assistant)\b|(?:^|\n\n)(?:Human|Assistant|User): |"
        r"\(truncated\)|\AError: |\{\{\w+\}\}",
        *("<", "[", "##", "Human:", "Assistant:", "User:", "(truncated)", "Error:", "{{"),
    ),
    "small letters at the start": _begins(r"\s*[a-z]"),
    "labels at the start": _begins(r"\W{0,3}(?:[\u4e00-\u9fff]{1,4}|[A-Za-z]+(?: \w+){0,2})[*_]{0,2}[:：]"),
    "marks at the start": _begins(r"\s*[^\w\s]"),
    "numbers at the start": _begins(r"\s*\d"),
    "endings with a full stop": partial(_ends, ".。"),
    "endings with a question": partial(_ends, "?？"),
    "endings with an exclamation mark": partial(_ends, "!！"),
    "endings with a colon": partial(_ends, ":："),
    "endings without a mark": lambda text: text.rstrip()[-1:].isalnum(),
}
"""Each habit by its name."""

DERIVED = frozenset(
    (
        *("variety of words", "letters a word", "words a sentence", "sentences", "lines", "paragraphs", "full stops"),
        *("commas", "capital letters", "capitalised words", "long words", "Chinese characters", "Latin words"),
        "non-ASCII characters",
    )
)
"""Those that move with nearly every change of a text, most of all its length: of equals another one says more."""

LENGTH: dict[str, Callable[[str, Sequence[object]], float]] = {
    "characters": lambda text, words: len(text),
    "words": lambda text, words: len(words),
}
