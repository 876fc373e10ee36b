"""What the tests of several modules share: prompts, pairs, files of rows, a scripted sampler and tokenizers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pairforge.evaluation.verdict import verdict
from pairforge.resources import resource
from pairforge.run import Run
from pairforge.samplers.decoding import Decoding
from pairforge.types import Answer, Key, Message, Pair, Prompt, Sampler, Skip

STRIPS = (
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must take turns, the user first') }}{% endif %}{% set text = message.content | trim %}"
    "{{ '[INST] ' + text + ' [/INST]' if message.role == 'user' else ' ' + text + ' ' + eos_token }}{% endfor %}"
)
"""A chat template like that of Llama 2: contents are stripped, there is no system message, and roles take turns."""

BEGINS = (
    "{{ bos_token }}{% for message in messages %}{{ '## ' + message.role + '\\n' + message.content }}"
    "{{ eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '## assistant\\n' }}{% endif %}"
)
"""A chat template that writes a beginning-of-text token, then headings."""

Say = Callable[[Prompt, int, Decoding], "str | Answer | Skip"]


def prompt(question: str, **columns: Any) -> Prompt:
    """Return a prompt of one user turn."""
    return Prompt((Message(role="user", content=question),), columns)


def asks_nobody(prompts: Sequence[Prompt], sampler: Sampler) -> Mapping[str, list[Answer] | Skip]:
    """The `ask` of a judge that is no model."""
    raise AssertionError("this judge asks no model")


def pair(
    chosen: str, rejected: str, question: str = "Q?", *, system: str | None = None, **columns: Any
) -> dict[str, Any]:
    """Return a row of two answers to one question, in TRL's implicit-prompt shape."""
    context = [{"role": "system", "content": system}] * (system is not None) + [{"role": "user", "content": question}]
    sides = {"chosen": chosen, "rejected": rejected}
    return {side: [*context, {"role": "assistant", "content": text}] for side, text in sides.items()} | columns


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write rows as JSON Lines and return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def read_jsonl(path: Path) -> list[Any]:
    """Return the rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class Request(NamedTuple):
    """One answer that a sampler was asked for."""

    prompt: Prompt
    index: int
    decoding: Decoding


class Scripted(Sampler):
    """A sampler whose answers come from a function of prompt, index and decoding; a bare text is a whole answer."""

    def __init__(self, say: Say, model: str = "scripted", inserts: str | None = None) -> None:
        self.say = say
        self.model = model
        self.decoding = Decoding()
        self.warnings: list[str] = []
        self.asked: list[Request] = []
        self.inserts = inserts
        self.takes = True

    def takes_system(self) -> bool:
        return self.takes

    def inserted_system(self) -> str | None:
        return self.inserts

    def with_decoding(self, **changes: Any) -> Scripted:
        other = copy.copy(self)
        other.decoding = replace(self.decoding, **changes)
        return other

    def settings(self) -> dict[str, Any]:
        return {"sampler": self.model, **self.decoding.settings()}

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        for prompt in prompts:
            keys = [(prompt.id, index) for index in range(first, n) if (prompt.id, index) not in done]
            answers = {key: self._answer(prompt, key[1]) for key in keys}
            self.asked += [Request(prompt, index, replace(self.decoding)) for _, index in keys]
            yield answers

    def _answer(self, prompt: Prompt, index: int) -> Answer | Skip:
        said = self.say(prompt, index, self.decoding)
        return Answer(said, "stop", 1) if isinstance(said, str) else said


def pocket(chat_template: str | None = None, bos_token: str | None = None) -> Any:
    """Return the pocket model's tokenizer, with another chat template or beginning-of-text token."""
    tokenizer = copy.deepcopy(_pocket())
    if chat_template:
        tokenizer.chat_template = chat_template
    if bos_token:
        tokenizer.bos_token = bos_token
    return tokenizer


@cache
def _pocket() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(resource("data", "pocket")))


def pocket_model() -> Any:
    """Return the pocket model in single precision, as training has it."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(resource("data", "pocket")), dtype=torch.float32)


def words(*known: str) -> Any:
    """Return a tokenizer that knows these words, and says [UNK] to all others."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["[UNK]", "<s>", "</s>", "##", "user", "assistant", "system"]
    model = models.WordLevel({word: index for index, word in enumerate([*special, *known])}, unk_token="[UNK]")
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = BEGINS
    return tokenizer


def of_case(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the tokenizer and the settings of a case of PF4xx: those of its setup.json, else pocket and 1024."""
    setup = json.loads((folder / "setup.json").read_text("utf-8")) if (folder / "setup.json").exists() else {}
    tokenizer = pocket(setup.get("chat_template"), setup.get("bos_token"))
    if "words" in setup:
        tokenizer = words(*setup["words"])
    return tokenizer, {name: setup[name] for name in ("max_length", "inserted") if name in setup}


def question_ids(tokenizer: Any, *questions: str) -> list[list[int]]:
    """Return the token ids of questions, each up to where the model is to answer."""
    turns = [[{"role": "user", "content": question}] for question in questions]
    texts = [tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) for turn in turns]
    return [tokenizer(text)["input_ids"] for text in texts]


def judged_run(out: Path, texts: list[str], *, name: str = "trained", judge: str = "reward.py:score") -> Run:
    """Return a run with pairs and skips of these texts, and a model that was trained and judged."""
    settings = {"model": f"org/{name}", "n": 4, "judge": {"judge": judge}, "rules": {texts[0]: texts[-1]}}
    run = Run.of(out, "onpolicy", settings)
    rows = [
        Pair.of(
            prompt(f"{text} {index}?"),
            f"{text} is right",
            f"{text}, no",
            method="best_worst",
            model=name,
            judge=judge,
            chosen_score=index / 10,
            rejected_score=-index / 20,
        ).row()
        for index, text in enumerate(texts)
    ]
    skips = {"tie": 3, "identical": 1, texts[0]: 2}
    run.argv = ("pairforge", "onpolicy", "-p", "/home/ann/secret/prompts.csv", "-o", str(out))
    run.finish(rows, [], {"prompts": len(rows) + 6, "contexts": 1, "pairs": len(rows), "skips": skips})
    model = run.path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "verdict.json").write_text(json.dumps(verdict_of(texts) | {"model": str(model)}))
    log = [{"step": step, "loss": 1 / step, "rewards/margins": step / 9} for step in range(1, 9)]
    guard = {"action": "stop", "alarm": None, "records": [{"step": 4, "broken": 0.1}]}
    (model / "history.json").write_text(json.dumps({"steps": 8, "beta": 0.1, "log": log, "guard": guard}))
    failing = [{"metric": "new_name", "question": text, "answer": text, "expected": text} for text in texts]
    write_jsonl(model / "failures.jsonl", failing)
    return run


def verdict_of(texts: list[str]) -> dict[str, Any]:
    after: dict[str, dict[str, bool | Skip]] = {
        "new_name": {str(n): n % 3 > 0 for n in range(120)},
        "general": {str(n): n % 9 > 0 for n in range(120)},
        **{text: {"1": True} for text in texts},
    }
    before = {**after, "new_name": {str(n): False for n in range(120)}}
    answers = [{"question": text, "before": text, "now": text} for text in texts]
    return verdict(after, before, about={"answers": answers}).as_json()
