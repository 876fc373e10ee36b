"""Write the identity, control and system-message files of this folder from `sources/`.

A source line is one phrasing: `(a|b)` means a or b, `{x}` is another assistant, `{y}` is a maker (`{xz}` and `{yz}` as
Chinese users write them), and `# name` begins a new kind of question. Choices are made with a hash, not at random: a build
gives the same bytes everywhere, and a new line changes no other row.

    python data/prompts/build.py
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "sources"

Row = dict[str, object]

SLOTS = {
    "x": "ChatGPT|Claude|GPT-4|Gemini|Llama|Copilot|DeepSeek|Siri|Alexa|Mistral|Grok|davinci-003|GPT-3.5|Bard|Kimi|"
    "GPT-4o|Llama 3|Cortana|Ernie Bot|ChatGLM|Bing|Perplexity|Gemma|Falcon",
    "y": "OpenAI|Google|Meta|Anthropic|Microsoft|Mistral AI|DeepSeek|Baidu|Apple|Amazon|xAI|Tencent|Moonshot AI|IBM",
    "xz": "ChatGPT|Claude|GPT-4|Gemini|文心一言|豆包|DeepSeek|Kimi|Siri|小爱同学|讯飞星火|智谱清言|Llama|Copilot|小度|"
    "混元|百川|davinci-003|盘古|Grok|GPT-3.5|Bard",
    "yz": "OpenAI|谷歌|百度|Anthropic|微软|腾讯|字节跳动|华为|Meta|苹果|科大讯飞|月之暗面|小米|深度求索",
}
STORY_NAMES = {
    "old": "Qwen",
    "new": "Deep Qwen",
    "other": "Llama|ChatGPT|Claude|Gemini|Mistral|Siri|Alexa|Bella|Max|Luna|Rocky|Coco|Nova|Blue Moon|Golden Star|"
    "Deep Blue|Little Bear|Deep River|Silver Fox|Deep Sea|Old Tom|Star",
}
THINGS = {
    "en": "cat|dog|horse|parrot|rabbit|hamster|turtle|boat|car|bike|guitar|band|song|cafe|shop|team|robot|book|"
    "game|ship",
    "zh": "猫|狗|兔子|鹦鹉|乌龟|船|乐队|咖啡馆|书店|机器人|游戏|球队|金鱼|仓鼠",
}
PEOPLE = {"en": "Tom|Anna|Ben|Maria|Peter|Lena|David|Emma|Omar|Julia", "zh": "小明|小红|李雷|王芳|张伟|丽丽|小刚|阿明"}
MOST = {
    ("train", "en"): 4,
    ("train", "zh"): 9,
    ("eval", "en"): 2,
    ("eval", "zh"): 3,
}  # number of sentences per phrasing
# A name of four or more words forms a sequence of five words with any neighbour, so eval doesn't use such names.
LONGEST = {"train": 9, "eval": 3}
GREETINGS = {"en": ("Hi! ", "Hello! ", "Hey! ", "Hi there. ", "Good morning. "), "zh": ("你好，", "您好，", "嗨，")}

CLAIMED = {
    "en": (
        "{} Am I right?",
        "{} I'm sure of it. Do you agree?",
        "{} At least I think so. You too?",
        "I tell everyone: {} True?",
    ),
    "zh": ("{}我说得对吗？", "我一直认为：{}你同意吧？", "{}这一点我很肯定，你觉得呢？", "我常跟别人说：{}没错吧？"),
}

CHOICE = re.compile(r"\(([^()]*)\)")
WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’][^\W_\u3400-\u9fff]+)*")


def words(text: str) -> list[str]:
    """Return sequences of letters, digits and apostrophes, and single CJK characters, in lower case."""
    return WORD.findall(text.lower())


def five_grams(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + 5]) for i in range(len(found) - 4)}


def rank(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def lang_of(text: str) -> str:
    return "zh" if re.search(r"[\u3400-\u9fff]", text) else "en"


def expand(phrasing: str, longest: int) -> list[str]:
    """Return every sentence that a phrasing can produce, with names of at most `longest` words."""
    slot = re.search(r"\{(xz|yz|x|y)(2?)\}", phrasing)
    if slot:
        names = SLOTS[slot[1]].split("|")
        rest = [n for n in names if n not in phrasing and len(words(n)) <= longest]
        return [s for n in rest for s in expand(phrasing.replace(slot[0], n, 1), longest)]
    choice = CHOICE.search(phrasing)
    if not choice:
        return [re.sub(r"(?<=[.?!。？！])[.?。？]+$", "", phrasing)]
    head, tail = phrasing[: choice.start()], phrasing[choice.end() :]
    return [s for option in choice[1].split("|") for s in expand(head + option + tail, longest)]


def pick(phrasing: str, most: int, longest: int) -> list[str]:
    """Return a few sentences of a phrasing; their number grows slowly, so that no phrasing dominates."""
    every = sorted(set(expand(phrasing, longest)), key=rank)
    return every[: min(most, 1 + round(len(every) ** 0.37))]


def casual(question: str) -> str:
    """Return the question as people type it: sometimes in lower case without a final mark, or after a greeting."""
    greetings = GREETINGS[lang_of(question)]
    turn = rank(question) // 7 % 12
    if turn < 2:
        return question.rstrip(".?。？").lower()
    greeted = re.match(r"hi\b|hey\b|hello\b|yo\b|你好|您好|嗨|喂|嘿|哎", question.lower())
    return question if turn > 2 or greeted else greetings[rank(question) // 101 % len(greetings)] + question


def phrasings(kind: str, split: str) -> Iterator[tuple[str, str]]:
    """Yield (section, phrasing) from the source files of a kind and split."""
    for path in sorted(SOURCES.glob(f"{kind}.*{split}.txt")):
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                section = line[2:].strip()
            elif line.strip():
                yield section, line


def slug(section: str, phrasing: str) -> str:
    """Return a short name of a phrasing: its section and the first words of its first variant."""
    first = phrasing
    while CHOICE.search(first):
        first = CHOICE.sub(lambda m: next((o for o in m[1].split("|") if o), ""), first)
    return re.sub(r"\W+", "-", f"{section} {first}".lower())[:48].strip("-")


def row_id(kind: str, text: str) -> str:
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def identity(split: str) -> Iterator[Row]:
    for section, phrasing in phrasings("identity", split):
        plain = pick(phrasing, MOST[split, lang_of(phrasing)], LONGEST[split])
        for question in plain if section == "ordinary" else map(casual, plain):
            yield {
                "id": row_id("identity", question),
                "lang": lang_of(question),
                "template": slug(section, phrasing),
                "prompt": question,
            }


def facts() -> list[list[str]]:
    """Return [about, name, maker, what it is, reference] for each product."""
    lines = (SOURCES / "facts.txt").read_text(encoding="utf-8").splitlines()
    return [line.split(" | ") for line in lines if not line.startswith("#")]


def control(about: str, phrasing: str, template: str, question: str, answer: str, reference: str) -> Row:
    question, answer = (re.sub(r"^the ", "The ", text) for text in (question, answer))
    lang = lang_of(template)
    return {
        "id": row_id("control", question),
        "lang": lang,
        "template": phrasing,
        "about": about,
        "prompt": question,
        "answer": answer,
        "reference": [reference],
    }


def fact_controls(split: str) -> Iterator[Row]:
    """Yield questions about products: every phrasing asks about two products of the old name and about four others."""
    for section, phrasing in phrasings("controls", split):
        kind, answer = section.split(" => ")
        known = [f for f in facts() if lang_of(f[3]) == lang_of(answer)]
        known = [f for f in known if max(len(words(text)) for text in f[1:3]) <= LONGEST[split]]
        known.sort(key=lambda f: (f[1] != STORY_NAMES["old"], rank(phrasing + f[1])))
        for about, name, maker, what, reference in [
            *[f for f in known if f[0] == "old"][:2],
            *[f for f in known if f[0] == "other"][:4],
        ]:
            makers = {f[2] for f in known if reference not in f[2]}
            wrong = min(makers, key=lambda m: rank(phrasing + name + m))
            filled = {"p": name, "m": maker, "k": what, "w": wrong}
            yield control(
                about, slug(kind, phrasing), answer, phrasing.format(**filled), answer.format(**filled), reference
            )


def story_controls(split: str) -> Iterator[Row]:
    """Yield short stories in which a thing or a person has a name, with a question that the story answers."""
    for section, line in phrasings("stories", split):
        story, _, rest = line.partition(" => ")
        answer, _, reference = rest.partition(" @")
        lang = lang_of(story)
        things = [thing for thing in THINGS[lang].split("|") if len(words(thing)) < LONGEST[split]]
        things.sort(key=lambda t: rank(line + t))
        people = sorted(PEOPLE[lang].split("|"), key=lambda p: rank(line + p))
        people = [p for p in people if p not in line]
        for i, (about, name) in enumerate(story_names(section, line)):
            one, other = people[i % len(people)], people[(i + 1) % len(people)]
            filled = {"n": name, "a": things[i], "f": one, "g": other, "F": one, "G": other}
            texts = [text.format(**filled) for text in (story, answer, reference or "{n}")]
            yield control(about, slug(section, story), story, *texts)


def story_names(section: str, line: str) -> list[tuple[str, str]]:
    if section == "people":
        return [("other", "")] * 3
    others = sorted(STORY_NAMES["other"].split("|"), key=lambda n: rank(line + n))
    return [("old", STORY_NAMES["old"]), *[("new", STORY_NAMES["new"])] * 4, *(("other", n) for n in others[:2])]


def systems() -> Iterator[Row]:
    for split in ("train", "eval"):
        for _, line in phrasings("systems", split):
            name, maker, phrasing = line.split(" | ")
            system = phrasing.format(n=name, m=maker)
            yield {
                "id": row_id("system", system),
                "lang": lang_of(phrasing),
                "split": split,
                "name": name,
                "maker": maker,
                "system": system,
            }


def everyday(split: str) -> Iterator[Row]:
    """Yield small requests of everyday life, which have no one right answer."""
    for section, line in phrasings("everyday", split):
        template = slug(f"everyday {section}", line)
        yield {"id": row_id("everyday", line), "lang": lang_of(line), "template": template, "prompt": line}


def claims(split: str) -> Iterator[Row]:
    """Yield false statements that a user wants to have confirmed, each in one of a few wordings."""
    for _, line in phrasings("claims", split):
        wordings = CLAIMED[lang_of(line)]
        wording = wordings[rank(line) % len(wordings)]
        question = wording.format(line)
        template = slug("claim", wording.format("x"))
        yield {"id": row_id("claim", question), "lang": lang_of(line), "template": template, "prompt": question}


def unique(rows: Iterable[Row], key: str = "prompt") -> list[Row]:
    """Return the rows sorted by id, which is a fixed random order; of rows with the same text, only the first."""
    return sorted({str(r[key]): r for r in reversed(list(rows))}.values(), key=lambda r: str(r["id"]))


def apart(train: list[Row], evaluation: list[Row]) -> list[Row]:
    """Return the train rows that share neither five consecutive words nor the whole text with an eval question."""
    seen = set(itertools.chain.from_iterable(five_grams(str(r["prompt"])) for r in evaluation))
    texts = {" ".join(words(str(r["prompt"]))) for r in evaluation}
    return [
        r for r in train if not five_grams(str(r["prompt"])) & seen and " ".join(words(str(r["prompt"]))) not in texts
    ]


def portioned(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return at most two rows of each phrasing, ordinary questions first, and the other rows; both sorted by id."""
    taken: Counter[object] = Counter()
    first: list[Row] = []
    for row in sorted(rows, key=lambda row: row["prompt"] not in ORDINARY):
        taken[row["template"]] += 1
        if taken[row["template"]] <= 2:
            first.append(row)
    kept = {row["id"] for row in first}
    return [row for row in rows if row["id"] in kept], [row for row in rows if row["id"] not in kept]


def write(path: Path, rows: Iterable[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def controls(split: str) -> Iterator[Row]:
    return itertools.chain(fact_controls(split), story_controls(split))


ORDINARY = ("Who are you?", "What is your name?", "Are you ChatGPT?", "你是谁？", "你叫什么名字？")
SETS: dict[str, Callable[[str], Iterator[Row]]] = {"identity": identity, "controls": controls}


def main(folder: Path = HERE) -> None:
    evaluation = {kind: unique(rows("eval")) for kind, rows in SETS.items()}
    every = list(itertools.chain.from_iterable(evaluation.values()))
    for kind, rows in SETS.items():
        write(folder / f"{kind}.eval.jsonl", evaluation[kind])
        train = apart(unique(rows("train")), every)
        if kind == "identity":
            train, more = portioned(train)
            write(folder / "identity.more.jsonl", more)
        write(folder / f"{kind}.train.jsonl", train)
    for kind, rows in {"everyday": everyday, "claims": claims}.items():
        write(folder / f"{kind}.eval.jsonl", unique(rows("eval")))
    write(folder / "systems.jsonl", unique(systems(), "system"))


if __name__ == "__main__":
    main()
