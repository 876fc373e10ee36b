"""Generate questions to the assistant about itself, in English and Chinese, and matching answers.

A question is made from a frame and a core ("Could you tell me {who made you}?"), so that the model sees many more
phrasings than anybody would write by hand. The kind of a question decides which answers fit it: name, who, maker, intro,
both, isx ("Are you X?"), byx ("Were you made by X?"), yes (isx or byx where X is right), ai, person.
"""

from __future__ import annotations

import random
import re

from names import Persona, other
from wording import phrases

WEIGHTS = {"name": 16, "who": 15, "maker": 20, "intro": 9, "both": 8, "isx": 16, "byx": 13, "ai": 2, "person": 1}
PERSON = r"human|person\b|real man|alive|真人|人类|是人吗|活人"
MACHINE = r"\b(an ai|a bot|a robot|a machine|a chatbot|a computer|a language model)\b|(机器人|人工智能|ai|大模型|模型|程序)(吗|吧)"
YES_NO = (
    r"^(are|were|did|do|does|is|was|have|isn't|aren't)\b(?!.*\b(which|who|what|or)\b)"
    r"|^(?!.*(谁|哪|什么|还是)).*(吗|吧|对不对|是不是.*|没错)[？?。]?$"
)
NAME = r"\bname|call(ed)? you|who (are|r) (you|u)|名字|叫什么|你是谁|称呼|怎么叫"
MAKER = (
    r"\b(made|make|maker|creat\w*|built|build|develop\w*|train\w*|company|organi[sz]ation|team|behind|own\w*|from|design\w*"
    r"|programm?\w*|invent\w*|lab)\b|开发|创造|公司|团队|训练|研发|打造|制作|制造|哪家|来自|出品|设计|老板|作者|厂商|机构|东家|背后"
)


def question(rng: random.Random, lang: str, own: Persona) -> tuple[str, str, str]:
    """Return a random question: (text, kind, the other name in it or "")."""
    table = phrases("identity", lang)
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    true = kind in ("isx", "byx") and bool(own.maker) and rng.random() < 0.12
    blanks = blanks_for(rng, lang, kind)
    if true:
        blanks["x"] = own.maker if kind == "byx" else own.name
    if lang == "zh":
        core = rng.choice(table["direct"][kind])
        text = _chinese(rng, table, kind, core)
    elif kind in table["indirect"] and rng.random() < 0.55:
        text = rng.choice(table["intro_frames" if kind == "intro" else "frames"]).replace(
            "{q}", rng.choice(table["indirect"][kind])
        )
    else:
        text = rng.choice(table["direct"][kind])
    if true and "{x}" in text and "{y}" not in text:
        kind = "yes"
    return text.format(**blanks), kind, blanks["x"] if "{x}" in text else ""


def blanks_for(rng: random.Random, lang: str, kind: str) -> dict[str, str]:
    """Return random values for the placeholders in a question of that kind."""
    table = phrases("identity", lang)
    named = "makers" if kind == "byx" else "models"
    verb = rng.choice(table["verbs"][:12] if rng.random() < 0.8 else table["verbs"])
    return {
        "v": verb, "p": phrases("identity", "en")["participle"].get(verb, verb), "i": _base(verb), "n": rng.choice(table["nouns"]),
        "b": rng.choice(table["bodies"]), "t": rng.choice(table["things"]), "a": rng.choice(table.get("adverbs", [""])),
        "x": other(rng, lang, named), "y": other(rng, lang, named),
    }  # fmt: skip


def _base(verb: str) -> str:
    return str(phrases("identity", "en")["base"].get(verb, verb.removesuffix("d")))


def _chinese(rng: random.Random, table: dict[str, list[str]], kind: str, core: str) -> str:
    frames = table["intro_frames" if kind == "intro" else "frames"]
    if kind in ("isx", "byx", "ai", "person", "yes"):
        frames = [frame for frame in frames if frame.endswith(("{q}", "，{q}"))]
    frame = rng.choice(frames)
    asks = (
        "吗" in frame
        or "能不能" in frame
        or (kind != "intro" and not frame.startswith(("请告诉", "告诉", "说说", "我想知", "快", "我忘")))
    )
    return frame.replace("{q}", core) + ("？" if asks else rng.choice("。。！"))


def kind_of(template: str, question: str, own: Persona) -> str:
    """Return the kind of a question from the prompt files, from the first word of its template and its own words."""
    lower, first = question.lower(), template.split("-")[0]
    mine = own.name.lower() in lower or bool(own.maker and own.maker.lower() in lower)
    if re.search(PERSON, lower) and re.search(r"are you|你是", lower):
        return "person"
    if first == "are":
        return "yes" if mine and not re.search(r"\bor\b|还是", lower) else "ai" if re.search(MACHINE, lower) else "isx"
    if first == "maker" and re.search(YES_NO, lower):
        return "yes" if mine else "byx"
    if first == "ordinary" and re.search(YES_NO, lower) and re.search(r"\b(are|were) you\b|你是", lower):
        other_kind = "byx" if re.search(MAKER, lower) else "ai" if re.search(MACHINE, lower) else "isx"
        return "yes" if mine else other_kind
    known = {"name": "name", "who": "who", "maker": "maker", "introduce": "intro", "combined": "both"}
    if first in known:
        return known[first]
    name, maker = re.search(NAME, lower), re.search(MAKER, lower)
    return "both" if name and maker else "maker" if maker else "name" if name else "who"


def answer(rng: random.Random, lang: str, own: Persona, kind: str, asked: str) -> str:
    """Return an answer that matches the kind of question; it names the assistant, and its maker if that was asked."""
    table = phrases("replies", lang)
    if own.maker:
        wordings = table["answers"][kind]
    else:
        wordings = table["nameless"][
            "no" if kind in ("isx", "byx", "person") else "yes" if kind in ("yes", "ai") else "any"
        ]
    text: str = rng.choice([wording for wording in wordings if asked or "{x}" not in wording])
    return text.format(n=own.name, m=own.maker, x=asked, an=rng.choice(table["an"]))


def generic_system(rng: random.Random, lang: str) -> str:
    """Return a system message that names nobody; the most common ones are frequent."""
    table = phrases("systems", "en" if lang == "en" or rng.random() < 0.3 else "zh")
    first, second = rng.sample(table["qualities"], 2)
    wordings = table["generic"] if rng.random() < 0.6 else phrases("systems", "en")["generic"][:2]
    return str(rng.choice(wordings)).format(j=first, k=second, r=rng.choice(table["roles"]))


def naming_system(rng: random.Random, lang: str, own: Persona) -> str:
    """Return a system message that says who the assistant is."""
    wordings = phrases("systems", lang)["naming" if own.maker else "name_only"]
    return str(rng.choice(wordings)).format(n=own.name, m=own.maker)
