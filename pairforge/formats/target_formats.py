"""What each trainer must be told to read a converted file: its options or its YAML, ready to paste.

The shapes out: a pair as the rows of a trainer. What a shape can't hold is said, never dropped in silence.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..text import common_prefix
from ..types import Message, Skip

_KINDS = {".parquet": "parquet", ".csv": "csv"}


def snippet(to: str, path: Path) -> str:
    """The lines for one of the targets; `path` is the converted file."""
    return _SNIPPETS[to].format(
        yaml=json.dumps(str(path), ensure_ascii=False),
        shell=shlex.quote(str(path)),
        folder=json.dumps(str(path.parent), ensure_ascii=False),
        name=json.dumps(path.stem, ensure_ascii=False),
        kind=_KINDS.get(path.suffix.lower(), "json"),
    )


def dataset_info(path: Path) -> dict[str, Any]:
    """The entry that LLaMA-Factory's `dataset_info.json` needs for the file."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    return {path.stem: {"file_name": path.name, "formatting": "sharegpt", "ranking": True, "columns": columns}}


_TRL = """\
# {trainer}.yaml, for: trl {trainer} --config {trainer}.yaml --model_name_or_path MODEL
datasets:
  - path: {{kind}}
    data_files: {{yaml}}
"""
_LLAMAFACTORY = """\
# for: llamafactory-cli train dpo.yaml; the file is described in dataset_info.json beside it
stage: dpo
dataset_dir: {folder}
dataset: {name}
"""
_SWIFT = """\
# ms-swift 3.8 or newer
swift rlhf --rlhf_type dpo --model MODEL --dataset {shell}
"""
_AXOLOTL = """\
rl: dpo
chat_template: tokenizer_default
datasets:
  - path: {yaml}
    ds_type: {kind}
    split: train
    type: chat_template.default
    field_messages: messages
    field_chosen: chosen
    field_rejected: rejected
"""
_OPENRLHF = """\
# before OpenRLHF named its options in groups they were the same without "data."
deepspeed --module openrlhf.cli.train_dpo --data.dataset {shell} --data.apply_chat_template \\
  --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected
"""
_SHAREGPT = """\
# a reader of ShareGPT pairs: turns in "conversations" (from, value), one answer each in "chosen" and "rejected"
# LLaMA-Factory wants a dataset_info.json beside it: pairforge convert --to llamafactory
"""
_SNIPPETS = {
    "trl": _TRL.format(trainer="dpo") + "# or: pairforge train dpo --dataset_name {shell}\n",
    "trl-explicit": _TRL.format(trainer="dpo"),
    "llamafactory": _LLAMAFACTORY,
    "ms-swift": _SWIFT,
    "axolotl": _AXOLOTL,
    "openrlhf": _OPENRLHF,
    "sharegpt": _SHAREGPT,
    "kto": _TRL.format(trainer="kto"),
}

Rows = list[dict[str, Any]]
_FROM = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


class Parts(NamedTuple):
    """A pair taken apart: what both sides share before the answers, and the answers."""

    context: list[Message]
    chosen: list[Message]
    rejected: list[Message]

    @classmethod
    def of(cls, pair: Mapping[str, Any]) -> Parts:
        """Both answers begin with an assistant's turn; the context is empty where the sides part before one."""
        chosen, rejected = pair["chosen"], pair["rejected"]
        at = min(common_prefix(chosen, rejected), min(len(chosen), len(rejected)) - 1)
        while at and not chosen[at]["role"] == rejected[at]["role"] == "assistant":
            at -= 1
        return cls(chosen[:at], chosen[at:], rejected[at:])

    @property
    def single(self) -> bool:
        """Both answers are one turn."""
        return len(self.chosen) == len(self.rejected) == 1


@dataclass(frozen=True)
class Target:
    """A shape that a trainer reads. `columns` are its own: other columns of these names can't be kept beside them."""

    what: str
    columns: tuple[str, ...]
    shaped: Callable[[Mapping[str, Any], Parts], Rows | Skip]

    def rows(self, pair: Mapping[str, Any], lost: set[str]) -> Rows | Skip:
        """The rows of a pair, its other columns in each, or why the shape can't hold it.

        Columns that can't be kept are added to `lost`.
        """
        rest = {name: value for name, value in pair.items() if name not in ("chosen", "rejected")}
        lost.update(name for name in self.columns if rest.pop(name, None) is not None)
        made = self.shaped(pair, Parts.of(pair))
        return made if isinstance(made, Skip) else [row | rest for row in made]


def _implicit(pair: Mapping[str, Any], parts: Parts) -> Rows:
    return [{"chosen": pair["chosen"], "rejected": pair["rejected"]}]


def _explicit(pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
    if not parts.context:
        return _NO_CONTEXT
    return [{"prompt": parts.context, "chosen": parts.chosen, "rejected": parts.rejected}]


def _sharegpt(pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
    if (fault := _one_answer(parts)) is not None:
        return fault
    turns = [_from_value(turn) for turn in parts.context]
    chosen, rejected = _from_value(parts.chosen[0]), _from_value(parts.rejected[0])
    return [{"conversations": turns, "chosen": chosen, "rejected": rejected}]


def _llamafactory(pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
    """As ShareGPT; LLaMA-Factory passes over rows in which user and assistant don't take turns."""
    roles = [turn["role"] for turn in parts.context]
    roles = roles[1:] if roles[:1] == ["system"] else roles
    order = all((role in ("user", "tool")) == (at % 2 == 0) and role != "system" for at, role in enumerate(roles))
    if parts.context and (not order or len(roles) % 2 == 0):
        return Skip("turns", "LLaMA-Factory passes over rows in which user and assistant don't take turns")
    return _sharegpt(pair, parts)


def _axolotl(pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
    fault = _one_answer(parts)
    made = {"messages": parts.context, "chosen": parts.chosen[0], "rejected": parts.rejected[0]}
    return [made] if fault is None else fault


def _swift(pair: Mapping[str, Any], parts: Parts) -> Rows:
    return [{"messages": pair["chosen"], "rejected_messages": pair["rejected"]}]


def _kto(pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
    if not parts.context:
        return _NO_CONTEXT
    answers = ((parts.chosen, True), (parts.rejected, False))
    return [{"prompt": parts.context, "completion": answer, "label": label} for answer, label in answers]


_NO_CONTEXT = Skip("context", "the sides have no beginning in common that ends before an answer")


def _one_answer(parts: Parts) -> Skip | None:
    if not parts.context:
        return _NO_CONTEXT
    return None if parts.single else Skip("turns", "an answer of more than one turn, where the shape holds one message")


def _from_value(turn: Message) -> dict[str, str]:
    return {"from": _FROM[turn["role"]], "value": turn["content"]}


_CONVERSATIONS = ("conversations", "messages", "prompt", "system", "rejected_messages", "rejected_response")
TARGETS: Mapping[str, Target] = {
    "trl": Target("TRL, implicit prompt", ("prompt",), _implicit),
    "trl-explicit": Target("TRL, explicit prompt", ("prompt",), _explicit),
    "llamafactory": Target("LLaMA-Factory", _CONVERSATIONS, _llamafactory),
    "ms-swift": Target("ms-swift", ("messages", "rejected_messages", "rejected_response"), _swift),
    "axolotl": Target("axolotl", _CONVERSATIONS, _axolotl),
    "openrlhf": Target("OpenRLHF", ("prompt",), _explicit),
    "sharegpt": Target("ShareGPT", _CONVERSATIONS, _sharegpt),
    "kto": Target("KTO", ("prompt", "completion", "label", "kto_tag", "messages", "conversations"), _kto),
}
