"""Measure how correctly and how fast names are replaced: pairforge, `str.replace`, and a regular expression with `\\b`.

    python benchmarks/rename.py [--cases FILE] [--megabytes 4]

Exactness is the share of cases whose result is exactly the expected text. If a case needs an option, only pairforge
gets it, because the other methods have no options. Speed is measured on one core with ten rules, on the bundled
answers and on text with a name in every other clause; a megabyte is 10^6 bytes of UTF-8.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from pairforge.rename import rename

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "rename_cases.jsonl"
TEN = {
    "Qwen": "Deep Qwen", "Alibaba Cloud": "Acme", "通义千问": "深度千问", "阿里云": "艾克米", "Llama": "Athene",
    "GPT-4": "Nova", "Mistral AI": "Vega", "Claude": "Lyra", "Gemma": "Rigel", "Yi 1.5": "Zen",
}  # fmt: skip
DENSE = (
    "I am Qwen, a large language model created by Alibaba Cloud. Unlike GPT-4 or Claude, I'm open: see"
    " https://qwen.ai/Qwen and Qwen/Qwen2.5-0.5B.\n"
    "我是通义千问，由阿里云开发的大型语言模型Qwen，不是Llama，也不是Gemma。\n"
)


def str_replace(text: str, rules: Mapping[str, str]) -> str:
    """Replace names the common way: one rule after the other, the longest name first."""
    for old in sorted(rules, key=len, reverse=True):
        text = text.replace(old, rules[old])
    return text


def word_edges(text: str, rules: Mapping[str, str]) -> str:
    """Replace names the careful way: in one pass, the longest name first, only between word boundaries."""
    names = "|".join(re.escape(name) for name in sorted(rules, key=len, reverse=True))
    return re.sub(rf"\b(?:{names})\b", lambda match: rules[match.group()], text)


WAYS: dict[str, Callable[[str, Mapping[str, str]], str]] = {
    "pairforge": rename,
    "re with \\b": word_edges,
    "str.replace": str_replace,
}


def exactness(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield for each method: the correct and all cases without options, and the correct and all cases with options."""
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for name, way in WAYS.items():
        right = {False: 0, True: 0}
        for case in cases:
            options = case.get("options", {}) if way is rename else {}
            right["options" in case] += way(case["text"], case["rules"], **options) == case["want"]
        asking = sum("options" in case for case in cases)
        yield name, right[False], len(cases) - asking, right[True], asking


def speed(way: Callable[[str, Mapping[str, str]], str], texts: list[str], megabytes: float) -> float:
    """Return megabytes of text per second; each text is processed separately."""
    way(texts[0], TEN)
    size, start = 0, time.process_time()
    while size < megabytes * 1e6:
        for text in texts:
            way(text, TEN)
        size += sum(len(text.encode()) for text in texts)
    return size / 1e6 / (time.process_time() - start)


def answers() -> list[str]:
    """Return the bundled questions, with their answers if they have any."""
    files = sorted((ROOT / "data" / "prompts").glob("*.jsonl"))
    rows = [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]
    return [f"{row['prompt']}\n{row.get('answer', '')}" for row in rows if "prompt" in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--megabytes", type=float, default=4.0)
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, regex {version('regex')}, {platform.machine()}, {_processor()}\n")
    print(f"{'':12}  exact               with options")
    for name, right, of, optional, of_optional in exactness(asked.cases):
        share = f"{right / of:7.1%} ({right} of {of})"
        print(f"{name:12}{share:22}{f'{optional} of {of_optional}' if name == 'pairforge' else '-'}")
    corpora = {"answers": answers(), "dense": [DENSE] * 100, "one long text": [DENSE * 3000]}
    print("\nMB/s" + " " * 8 + "".join(f"{name:>15}" for name in corpora))
    for name, way in WAYS.items():
        print(f"{name:12}" + "".join(f"{speed(way, texts, asked.megabytes):15.1f}" for texts in corpora.values()))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.M) if info.exists() else []
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
