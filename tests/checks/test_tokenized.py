"""PF4xx: each rule sees its bad cases and variants that its docstring does not name, and nothing in good rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import BEGINS, STRIPS, of_case, pair, pocket, words

from pairforge.checks.rule import WITH_MODEL, rules_over
from pairforge.checks.tokenized import TokenizedChecker
from pairforge.formats import read_rows
from pairforge.types import Finding

CASES = Path(__file__).parents[1] / "cases"
CODES = [rule.code for rule in rules_over(*WITH_MODEL)]
LONG = "On and on it goes, with much detail. " * 40


def row(chosen: str, rejected: str = "I am Qwen.", user: str = "Who are you?", system: str | None = None) -> Any:
    return pair(chosen, rejected, user, system=system)


def found(rows: list[Any], tokenizer: Any = None, **settings: Any) -> list[Finding]:
    checker = TokenizedChecker(tokenizer or pocket(), **settings)
    findings = [finding for index, row in enumerate(rows) for finding in checker.see(index, row)]
    return findings + checker.findings()


def codes(rows: list[Any], tokenizer: Any = None, **settings: Any) -> set[str]:
    return {finding.code for finding in found(rows, tokenizer, **settings) if finding.severity != "info"}


def of(code: str, kind: str) -> list[Finding]:
    tokenizer, settings = of_case(CASES / code)
    return found(list(read_rows(CASES / code / f"{kind}.jsonl")), tokenizer, **settings)


@pytest.mark.parametrize("code", CODES)
def test_bad_case_is_seen_in_each_row(code: str) -> None:
    findings = [finding for finding in of(code, "bad") if finding.code == code]
    rows = len(list(read_rows(CASES / code / "bad.jsonl")))
    assert {finding.row for finding in findings} == ({None} if findings[0].severity == "info" else set(range(rows)))


@pytest.mark.parametrize("code", CODES)
def test_good_case_is_clean(code: str) -> None:
    findings = of(code, "good")
    assert [finding for finding in findings if finding.severity != "info"] == []
    assert code == "PF414" or code not in {finding.code for finding in findings}


def chat(content: str = "message.content", end: str = "eos_token + '\\n'", start: str = "''") -> str:
    """A template in the manner of ChatML with another content, end or start."""
    return (
        "{{ " + start + " }}{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + " + content + " + "
        + end + " }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )  # fmt: skip


TOOLS = {"tools": "[not json"}
OPENS = chat() + "{% if add_generation_prompt %}{{ '<think>' }}{% endif %}"
COUNTS = "{{ messages | length | string + ' messages\\n' }}" + chat()
PADS = chat(end="eos_token + '\\n' * (200 if message.role == 'assistant' else 1)")


@pytest.mark.parametrize(
    ("code", "tokenizer", "pair", "settings"),
    [
        ("PF401", partial(pocket, STRIPS, "<|endoftext|>"), row("a", system="b"), {}),
        ("PF401", partial(pocket, chat("message.content + 1")), row("a"), {}),
        ("PF401", partial(pocket, chat("message.nonesuch.more")), row("a"), {}),
        ("PF401", pocket, row("a") | TOOLS, {}),
        ("PF401", pocket, row("\ud800"), {}),
        ("PF401", pocket, {"chosen": row("a")["chosen"][1:], "rejected": row("a")["rejected"]}, {}),
        ("PF402", partial(pocket, OPENS), row("a"), {}),
        ("PF402", partial(pocket, COUNTS), row("a"), {}),
        ("PF402", partial(pocket, chat() + "{{ '\\n' if add_generation_prompt }}"), row("a"), {}),
        ("PF402", partial(pocket, chat(start="'x' if messages[-1].role == 'user' else 'y'")), row("a"), {}),
        ("PF402", partial(pocket, chat("(message.content if loop.last else '')")), row("a"), {}),
        ("PF404", pocket, row(LONG + "yes", LONG + "no"), {"max_length": 100}),
        ("PF404", partial(pocket, chat("message.content | trim")), row("yes ", "yes"), {}),
        ("PF404", partial(pocket, chat("message.content | lower")), row("Yes", "yes"), {}),
        ("PF404", partial(pocket, chat("message.content[:18]")), row("a" * 20 + "b", "a" * 20), {}),
        ("PF404", partial(words, "yes", "no"), row("perhaps", "surely", user="yes"), {}),
        ("PF405", partial(pocket, chat(end="'\\n'")), row("a"), {}),
        ("PF405", partial(pocket, chat(end="''")), row("a"), {}),
        ("PF405", partial(pocket, chat(end="eos_token + ' over'")), row("a"), {}),
        ("PF405", partial(pocket, chat(end="'<|endoftext|>'")), row("a"), {"ends": [4095]}),
        ("PF405", partial(pocket, chat(end="'</s>'")), row("a"), {}),
        ("PF406", partial(pocket, chat(end="eos_token + eos_token")), row("a"), {}),
        ("PF406", partial(pocket, chat(end="eos_token + '\\n' + eos_token")), row("a"), {}),
        ("PF406", pocket, row("a", "b <|im_end|>"), {}),
        ("PF406", pocket, row("a<|im_end|>\n\n"), {}),
        ("PF406", partial(pocket, BEGINS, "<|im_end|>"), row("a<|im_end|>"), {}),
        ("PF407", partial(pocket, chat(start="bos_token + bos_token"), "<|endoftext|>"), row("a"), {}),
        ("PF407", partial(pocket, chat(start="bos_token + '<|endoftext|>'"), "<|endoftext|>"), row("a"), {}),
        ("PF407", partial(pocket, "{{ bos_token }}" + BEGINS, "<|endoftext|>"), row("a"), {}),
        ("PF407", partial(pocket, "{{ bos_token }}" + STRIPS, "<|im_start|>"), row("a"), {}),
        ("PF407", partial(pocket, chat(start="bos_token"), "<|im_start|>"), row("a"), {}),
        ("PF408", partial(pocket, chat("message.content.split('</think>')[-1]")), row("<think>a</think>", "b"), {}),
        ("PF408", partial(pocket, chat("message.content | replace('sorry', '')")), row("a", "sorry"), {}),
        ("PF408", partial(pocket, chat("(message.content if message.role == 'user' else '')")), row("a", "b"), {}),
        ("PF408", partial(pocket, chat("message.text | default('')")), row("a", "b"), {}),
        ("PF408", partial(pocket, chat("message.content[9:]")), row("a long answer", "short"), {}),
        ("PF409", pocket, row("a", user=LONG), {"max_length": 100}),
        ("PF409", pocket, row("a", system=LONG), {"max_length": 100}),
        ("PF409", pocket, row("a"), {"max_length": 1}),
        ("PF409", partial(pocket, chat(start="'word ' * 200")), row("a"), {"max_length": 100}),
        ("PF409", pocket, row("a" * 500, "b" * 500, user="龘" * 100), {"max_length": 100}),
        ("PF410", pocket, row(LONG), {"max_length": 100}),
        ("PF410", pocket, row("a", LONG), {"max_length": 100}),
        ("PF410", pocket, row("龘" * 60), {"max_length": 100}),
        ("PF410", partial(pocket, PADS), row("a"), {"max_length": 100}),
        ("PF410", pocket, row("one two three four five six seven eight"), {"max_length": 47}),
        ("PF411", pocket, row("<|endoftext|>"), {}),
        ("PF411", pocket, row("a", "x<|im_start|>user"), {}),
        ("PF411", pocket, row("a", user="say <|im_end|>"), {}),
        ("PF411", pocket, row("a", system="<|im_start|>"), {}),
        ("PF411", partial(words, "a"), row("a </s>", user="a"), {}),
        ("PF411", partial(words, "a"), row("a [UNK]", user="a"), {}),
        ("PF412", partial(words, "yes", "no"), row("da", "no"), {}),
        ("PF412", partial(words, "yes", "no"), row("yes", "ja nein yes"), {}),
        ("PF412", partial(words, "yes"), row("Привет", "yes"), {}),
        ("PF412", partial(words, "yes"), row("yes", "🙂"), {}),
        ("PF412", partial(words, "yes"), row("def f(x): return x", "yes"), {}),
    ],
)  # fmt: skip
def test_variants_are_seen(code: str, tokenizer: Callable[[], Any], pair: Any, settings: dict[str, Any]) -> None:
    assert code in {finding.code for finding in found([pair], tokenizer(), **settings)}


@pytest.mark.parametrize("first", ["am", "is", "an", "it", "as"])
def test_tokens_that_merge_across_the_seam(first: str) -> None:
    tokenizer = pocket("{% for m in messages %}{{ m.role + ': ' + m.content + eos_token + '\n' }}{% endfor %}"
                       "{{ 'assistant: ' if add_generation_prompt }}")  # fmt: skip
    one = [finding for finding in found([row("Qwen", first)], tokenizer) if finding.code == "PF403"]
    assert [finding.path for finding in one] == ["/rejected"]
    assert repr(f" {first}") in one[0].message
    assert codes([row("Qwen", "Deep")], tokenizer) == set()


def test_characters_that_vanish_where_no_token_stands_for_them() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.decoders import ByteLevel
    from transformers import PreTrainedTokenizerFast

    signs = {sign: index for index, sign in enumerate("abcdefghijklmnopqrstuvwxyz#:.ĠĊ<>|_")}
    backend = Tokenizer(models.BPE(signs, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    tokenizer.chat_template = BEGINS.replace("{{ bos_token }}", "")
    assert codes([row("yes it is", "no it is not", user="so")], tokenizer) == set()
    assert codes([row("да no", "no"), row("yes", "ça va"), row("yes 7", "no 8")], tokenizer) == {"PF412"}
    assert codes([row("x" * 60 + "é", "no")], tokenizer) == set(), "a stray character is let pass"


@pytest.mark.parametrize("template", [None, BEGINS, STRIPS])
def test_good_rows_are_clean(template: str | None) -> None:
    tokenizer = pocket(template, template and "<|endoftext|>")
    texts = [
        "Yes.",
        "我是深度Qwen。",
        "x = 1\n\nprint(x)\n",
        "**bold** <b>html</b> [link](x)",
        "naïve café ½ ﬁ",
        "🙂🇫🇷",
        "1 < 2",
    ]
    rows = [row(text, f"No: {text}", user=other) for text in texts for other in texts]
    assert codes(rows, tokenizer) <= {"PF403"}
    assert codes([row(text, f"No: {text}") for text in texts], tokenizer) == set()


def test_a_set_is_summed_up() -> None:
    rows = [
        row("yes", system="s"),
        row(LONG),
        row("a", user=LONG),
        row("same", "same"),
        row("\ud800"),
        7,
        {"chosen": []},
    ]
    last = found(rows, max_length=100, inserted="You are Qwen.")[-2:]
    assert [(finding.code, finding.row) for finding in last] == [("PF413", None), ("PF414", None)]
    assert last[0].message == "the template gives 3 of 4 rows the system message 'You are Qwen.'"
    assert last[1].message.startswith(
        "2 of 5 pairs carry a signal (1 not rendered, 1 dropped, 1 the same on both sides)"
    )
    expected = {"rows": 5, "signal": 2, "not_rendered": 1, "dropped": 1, "cut": 1, "alike": 1, "without_system": 3}
    assert {name: last[1].more[name] for name in expected} == expected
    assert last[1].more["tokens_a_step"] == round(last[1].more["tokens"] / 3 * 8)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TURN = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": JSON})
SIDE = st.lists(TURN | JSON, max_size=3) | JSON
ROW = st.fixed_dictionaries(
    {"chosen": SIDE, "rejected": SIDE},
    optional={"prompt": SIDE, "tools": JSON, "chat_template_kwargs": JSON, "id": JSON},
)


@pytest.mark.slow
@given(st.lists(ROW | JSON, max_size=4))
def test_any_json_gives_findings_and_no_traceback(rows: list[Any]) -> None:
    assert all(0 <= finding.row < len(rows) for finding in found(rows, max_length=40) if finding.row is not None)


def test_rows_keep_their_numbers_across_batches_and_stream() -> None:
    watch, seen = TokenizedChecker(pocket()), list[int | None]()
    for index in range(600):
        text = "not <|im_start|>" if index % 100 == 7 else "yes"
        seen += [finding.row for finding in watch.see(index, row(text))]
    assert seen == [7, 107, 207, 307, 407, 507][: len(seen)]
    assert len(seen) >= 5, "findings come as batches fill"
    assert found([], pocket()) == []
