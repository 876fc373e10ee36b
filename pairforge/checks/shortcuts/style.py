"""Habits of style, each a number per text; the side with more of it counts as holding the feature.

`STYLE` looks at whole texts. `LEXICON` looks at single tokens, whose values are known once and summed over texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq
from typing import TypeAlias

from ...refusals import refuses
from ...special_tokens import LEFTOVER_TOKEN, THOUGHT
from ...text import CONTROL, INVISIBLE

StyleMeasure: TypeAlias = Callable[[str], float]
"""How much of a habit a text holds; for the lexicon, a token."""


def _matches(pattern: str, *required: str, non_ascii: bool = False) -> StyleMeasure:
    """Count the matches of a pattern, which is not searched where a text has none of the required parts."""
    find = re.compile(pattern).findall
    if non_ascii:
        return lambda text: 0 if text.isascii() else len(find(text))
    return lambda text: len(find(text)) if not required or any(part in text for part in required) else 0


def _lines(pattern: str) -> StyleMeasure:
    """Count the lines that begin with a pattern."""
    match = re.compile(pattern).match
    return lambda text: sum(match(line) is not None for line in text.split("\n"))


def _begins(pattern: str, flags: int = 0) -> StyleMeasure:
    match = re.compile(pattern, flags).match
    return lambda text: match(text) is not None


def _ends(characters: str, text: str) -> bool:
    return text.rstrip()[-1:] in tuple(characters)


def _substrings(*parts: str) -> StyleMeasure:
    return lambda text: sum(map(text.count, parts))


def _phrases(phrases: str) -> StyleMeasure:
    """Count phrases, given in lower case and separated by bars."""
    known = phrases.split("|")
    return lambda text: sum(map(text.lower().count, known))


def _sentences(text: str) -> int:
    text = text.strip()
    return text.count(". ") + text.count("? ") + text.count("! ") + text.count("\n") + text.count("。") + 1


def _repeated_sentences(text: str) -> float:
    found = [line for line in text.replace("\n", ". ").replace("。", ". ").split(". ") if len(line) > 12]
    return len(found) - len(set(found))


_apologies = _phrases(
    "sorry|apolog|i cannot|i can't|i can’t|i'm unable|i am unable|i'm not able|as an ai|i don’t think|"
    "抱歉|对不起|作为人工智能|作为一个人工智能|作为ai"
)
STYLE: dict[str, StyleMeasure] = {
    "lines": _substrings("\n"),
    "paragraphs": _substrings("\n\n"),
    "sentences": _sentences,
    "headers": _lines(r"#{1,6} "),
    "bullet points": _lines(r"[ \t]*[-*•+] "),
    "numbered points": _lines(r"[ \t]*(?:\d+|[a-zA-Z])[.)、]"),
    "table rows": _lines(r"\|.*\|"),
    "block quotes": _lines(r">"),
    "rules": _lines(r"[-*_=]{3,}\s*$"),
    "labels": _lines(r"\W{0,3}[A-Z]\w*(?: \w+){0,2}\W{0,2}:"),
    "bold text": _matches(r"\*\*[^*\n]+\*\*", "**"),
    "italic text": _matches(r"(?<![*\w])[*_][^*_\s][^*_\n]*[*_](?![*\w])", "*", "_"),
    "code blocks": _substrings("```", "~~~"),
    "inline code": _matches(r"(?<!`)`[^`\n]+`(?!`)", "`"),
    "links": _substrings("http://", "https://", "www.", "]("),
    "HTML tags": _matches(r"</?[a-zA-Z][^<>\n]{0,40}>", "<"),
    "HTML entities": _matches(r"&(?:[a-z]+|#\d+);", "&"),
    "formulas": _matches(r"\$[^$\n]+\$|\\[a-zA-Z]{2,}|\\[(\[]", "$", "\\"),
    "serial commas": _substrings(", and ", ", or "),
    "hyphens": _substrings("-"),
    "ellipses": _substrings("...", "…"),
    "repeated marks": _matches(
        r"(?<!\.)\.\.(?!\.)|[!?！？]{2}|([。，；])\1",
        *("..", "!!", "??", "!?", "?!", "！！", "？？", "。。", "，，", "；；"),
    ),
    "emoticons": _matches(
        r"(?<![\w:])(?:[:;=]['-]?[)(DPp]|[xX]D|\^_?\^|<3|[:;]-?[/|]|\([:;]|T_T)(?![\w/])",
        *(":)", ":(", ":-", ":D", ":P", ":p", ":/", ":|", ";)", ";-", "=)", "=D"),
        *("xD", "XD", "^^", "^_^", "<3", "(:", "(;", "T_T"),
    ),
    "quoted words": _matches(r"(?<!\w)[\"'“‘«「『]\w+[\"'”’»」』](?!\w)", *"\"'“‘«「『"),
    "names of code": _matches(r"\b[A-Za-z]+(?:_[A-Za-z0-9]+)+\b|\w\(\)|\b\w+\.\w+\(", "_", "(", ")"),
    "spaces beside Chinese": _matches(r"(?<=[\u4e00-\u9fff]) (?=\w)|(?<=\w) (?=[\u4e00-\u9fff])", non_ascii=True),
    "hashtags and mentions": _matches(r"(?<!\w)[#@][^\W\d]\w+", "#", "@"),
    "times": _matches(r"\b\d{1,2}:\d\d\b", ":"),
    "uncontracted forms": _substrings(
        *("do not", "does not", "did not", "is not", "are not", "was not", "were not", "could not", "should not"),
        *("would not", "will not", "cannot", "I am", "I have", "I will", "t is"),
    ),
    "apologies and refusals": lambda text: _apologies(text) + refuses(text),
    "affirmative openings": _begins(
        r"\W*(?:certainly|sure|of course|absolutely|definitely|yes|great question|happy to|当然|好的|是的)", re.I
    ),
    "greetings": _begins(r"\W*(?:(?:hi|hello|hey|dear|greetings|good (?:morning|day))\b|你好|您好)", re.I),
    "offers and closing phrases": _phrases(
        "hope this|hope that|hope it|let me know|feel free|happy to help|regards|best wishes|good luck|anything else|"
        "希望|请告诉我|随时|祝"
    ),
    "summaries": _phrases("in conclusion|in summary|in short|to sum up|to summar|overall|总之|综上|总的来说"),
    "hedging phrases": _phrases(
        "in a sense|to some extent|to some degree|more or less|sort of|kind of|it seems|so to speak|as far as i|"
        "也许|或许|大概|恐怕|似乎|据说"
    ),
    "opinions": _phrases(
        "i think|i believe|i guess|i feel|i suppose|in my opinion|in my view|personally|我认为|我觉得|我想|在我看来"
    ),
    "words of order": _phrases("first,|firstly|second,|secondly|third,|next,|finally|lastly|step |首先|其次|最后|步骤"),
    "sources": _phrases("according to|studies|research|experts|source|et al|researchers|根据|研究|专家"),
    "disclaimers": _phrases(
        "consult|professional|not a substitute|not a doctor|not a lawyer|disclaimer|at your own risk|请咨询|仅供参考"
    ),
    "praise and sympathy": _phrases(
        "great question|good question|excellent question|good point|great choice|i understand|i'm glad|i am glad|"
        "thank you for|thanks for|that's great|well done|我理解|很高兴|好问题"
    ),
    "mentions of being a machine": _phrases(
        "language model|an ai|ai assistant|artificial intelligence|my training|人工智能|语言模型|我的训练"
    ),
    "abbreviations": _phrases("e.g.|i.e.|etc|vs.|et al|a.k.a|approx.|asap|fyi|per se|ad hoc|vice versa|de facto"),
    "remarks": _phrases("note that|note:|important|remember|keep in mind|for example|for instance|e.g.|例如"),
    "doubled words": lambda text: sum(map(eq, (found := text.lower().split()), found[1:])),
    "repeated sentences": _repeated_sentences,
    "variety of words": lambda text: len(set(found)) / len(found) if len(found := text.split()) > 9 else 0.0,
    "letters a word": lambda text: sum(map(len, found := text.split())) / max(1, len(found)),
    "words a sentence": lambda text: len(text.split()) / _sentences(text),
    "spaces at the start": _begins(r"[^\S\n]"),
    "line breaks at the start": _begins(r"\s*\n"),
    "spaces at the end": lambda text: text[-1:].isspace() and text[-1:] != "\n",
    "line breaks at the end": lambda text: "\n" in text[len(text.rstrip()) :],
    "double spaces": _matches(r"(?<=\S)  +(?=\S)", "  "),
    "spaces at the end of lines": _substrings(" \n", "\t\n"),
    "indented lines": _substrings("\n ", "\n\t"),
    "tabs": _substrings("\t"),
    "blank lines in a row": _substrings("\n\n\n"),
    "spaces before marks": _substrings(" ,", " .", " ;", " :", " !", " ?"),
    "marks without a space": _matches(r"[,;!?][A-Za-z]|[a-z]\.[A-Z]"),
    "carriage returns": _substrings("\r"),
    "template tokens": _matches(
        rf"{LEFTOVER_TOKEN}|</?{THOUGHT}>|"
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
"""The measure of each habit by its name."""

DERIVED = frozenset(
    (
        *("variety of words", "letters a word", "words a sentence", "sentences", "lines", "paragraphs", "full stops"),
        *("commas", "capital letters", "capitalised words", "long words", "Chinese characters", "Latin words"),
        "non-ASCII characters",
    )
)
"""Habits that change with nearly every edit of a text, above all with its length: another equal feature says more."""

LENGTH: dict[str, Callable[[str, Sequence[object]], float]] = {
    "characters": lambda text, words: len(text),
    "words": lambda text, words: len(words),
}

_COMMON = """
ability able about above accept access according account achieve across action active activity actual actually address
advice affect after again against agree allow almost alone along already also although always amount analysis another
answer anyone anything appear apply approach around article asking attention available avoid aware away balance based
basic beautiful because become before began begin behavior behind being believe below benefit best better between
beyond black blood board body bring brought build building business called cannot careful carefully cause center
central certain certainly chance change changes character cheap check child children choice choose class clean clear
clearly close color come comfortable coming common community company compare complete completely computer concern
condition conditions consider contact contain content context continue control correct could country couple course
cover create created culture current currently customer daily danger dangerous daughter decide decision definitely
degree depend depending describe design despite detail details develop development difference different difficult
direct directly discuss disease doctor doing drink drive during early earth easier easily effect effective effort
either email emotional enough ensure entire environment equal especially essential event everyone everything evidence
exactly example excellent except exercise expect expensive experience explain express extra extremely family famous
father favorite feature feeling field figure final finally financial finding first focus follow following foods force
foreign forget former forward found friend friendly friends front function further future general generally getting
given giving global going government great green ground group grow growing growth guess guide hands happen happy
having health healthy heard heart heavy helpful helping herself higher highly himself history house however human
hundred husband identify imagine immediately impact important improve include including increase indeed individual
industry influence information inside instead interest interested interesting international internet involve issue
issues itself journey keep kitchen knowledge known language large larger later learn learning least leave legal length
letter level likely limit limited listen little living local longer looking lower machine maintain major making manage
management manner market material matter maybe meaning means measure media medical meeting member memory mental
message method middle might million minutes modern moment money month months morning mother mountain mouth movement
movie music myself natural nature necessary need negative network never normal nothing notice number numbers object
obvious offer office often online opinion opportunity option options order original other others outside overall owner
paper parent parents particular particularly partner party pattern people perfect perfectly perform perhaps period
permission person personal perspective phone physical picture piece place planning plants please point police policy
political popular position positive possible possibly potential power practice prepare present president pressure
pretty prevent price print private probably problem problems process produce product production professional program
project proper properly protect provide public purpose question questions quick quickly quite rather reach reading
ready reality realize really reason reasons receive recent recently recommend record reduce regular related
relationship relevant remember remove report represent require required research resources respect respond response
result results return right risk running safety school science search season second section security seems sense
separate series serious service several shall share should simple simply since single situation small smart social
society software someone something sometimes somewhere sound source space speak special specific spend spirit sports
standard start started state statement states still stories story straight strategy street stress strong structure
student students study style subject success successful such suggest summer support sure surface surprise system table
taking talking taste teach teacher technology temperature terms thank thanks their themselves there therefore these
thing things think thinking third those though thought thousand three through throughout time today together tomorrow
tonight topic total touch toward towards town traditional training travel treat treatment trouble true trying
understand understanding unique united university until upset using usual usually value various version video violence
visit voice waiting walking wanted watch water website weight welcome where whether which while white whole whose
window winter within without woman women wonder wonderful words working world worry worse would write writing written
wrong yesterday young yourself
"""
_REAL = """
alter bought centre chose compete costumer county coupe crate curse custom entier ether fiend filed fining font fried
heath latter leaning loner mange mater medial metal meting minuets moths noting pants petty planing plans poplar
potions prefect preset pubic quiet realty serous singe sorts spots stared staring stated stating stats stores suing
tanks tough trough tying untied waking waned
"""
"""Words that a typing error makes of a common word."""

_WELL_KNOWN = """
accomodate acheive adn agian alot apparantly arguement basicly begining beleive buisness calender collegue comming
definately dissapoint embarass enviroment existance foward freind goverment grammer happend hte immediatly independant
knowlege liason neccessary noticable occassion occured occurence persistant posession prefered publically recieve
recomend refered relevent rember seige seperate sieze succesful suprise taht teh tendancy thier tommorow tounge truely
unfortunatly untill usefull wether wich wierd wiht writting yuo
"""


def _misspelt(shortest: int = 5) -> frozenset[str]:
    """Return common words with two letters exchanged, one doubled or an inner one left out, and well-known errors."""
    common, typos = _COMMON.split(), set(_WELL_KNOWN.split())
    for word in common:
        for at in range(len(word) - 1 if len(word) >= shortest else 0):
            before, one, other, after = word[:at], word[at], word[at + 1], word[at + 2 :]
            swapped, doubled, dropped = before + other + one + after, before + one + word[at:], before + other + after
            typos |= {swapped, doubled} | ({dropped} if at and len(dropped) >= shortest else set())
    return frozenset(typos.difference(common, _REAL.split()))


MISSPELT = _misspelt()
"""Typing errors in common words that are not words themselves, and errors that are often seen."""


def _characters(pattern: str) -> StyleMeasure:
    find = re.compile(f"[{pattern}]").findall
    return lambda token: len(find(token))


def _words(words: str) -> StyleMeasure:
    known = frozenset(words.split())
    return lambda token: token.lower() in known


def _like(pattern: str, flags: int = re.I) -> StyleMeasure:
    match = re.compile(pattern, flags).fullmatch
    return lambda token: match(token) is not None


def _one_of(marks: str) -> StyleMeasure:
    return frozenset(marks).__contains__


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

LEXICON: dict[str, StyleMeasure] = {
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
    "invisible characters": _characters("\u00a0\u202f\u3000" + INVISIBLE),
    "control characters": _characters(CONTROL + "\ufffd"),
    "digits": lambda token: len(token) if token.isdigit() else 0,
    "numbers": str.isdigit,
    "years": _like(r"1[5-9]\d\d|20\d\d"),
    "numbers in words": _words(
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
    "first person": _words("i me my mine myself i'm i’m i've i’ve i'd i’d i'll i’ll 我"),
    "first person plural": _words("we us our ours we're we’re we've we’ve let's let’s 们"),
    "second person": _words("you your yours yourself you're you’re you'll you’ll you've you’ve 你 您"),
    "connectives": _words("however therefore moreover furthermore additionally thus hence consequently nevertheless"),
    "hedges": _words(
        "maybe perhaps possibly probably presumably arguably conceivably supposedly apparently seemingly likely "
        "allegedly roughly approximately somewhat"
    ),
    "modal verbs": _words("may might could should must shall ought seem seems"),
    "negations": _words("not no never none nothing nobody nowhere neither nor cannot 不 没 无"),
    "conjunctions at the start": _like("And|But|Or|Nor|So|Yet|Because|Also|Plus|Then|Still", 0),
    "adverbs": _like(r"[a-z]{3,}ly"),
    "intensifiers": _words("very really extremely absolutely truly highly incredibly totally completely quite so"),
    "politeness": _words("please thanks thank kindly welcome pleasure delighted grateful obliged 请 谢"),
    "forms of address": _words("sir madam ma'am friend friends buddy mate dear folks pal dude bro honey darling 亲"),
    "interjections": _words("um uh er erm hmm oh ah aha wow oops yay ugh huh alas haha 嗯 呃 哦 噢 唉 哎 诶 哈"),
    "modal particles": _words("吧 呢 啊 呀 嘛 啦 咯 喔 嗎 吗"),
    "slang": _words("gonna wanna gotta kinda sorta lemme dunno yeah yep yup nope ain't y'all lol omg btw imo tbh"),
    "legal language": _words(
        "hereby herein thereof therein thereby wherein whereby henceforth aforementioned pursuant"
    ),
    "units of measure": _words("kg km cm mm mg ml lb lbs oz ft mph kph gb mb kb tb kwh kw hz mhz ghz hrs mins sqft"),
    "stretched words": _like(r"(?!www)[^\W\d_]*?(?![ivx])([^\W\d_])\1\1[^\W\d_]*"),
    "words with capitals inside": _like(r"[a-z]+[A-Z]\w*", 0),
    "function words of other languages": _words(_ROMANCE),
}
"""The measure of each habit by its name."""
