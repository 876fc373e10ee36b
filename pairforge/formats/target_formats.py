"""The shapes out: a pair as the rows that a trainer reads, and the options or YAML with which it reads them.

What a shape can't hold is reported, never dropped in silence.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from ..text import common_prefix
from ..types import SIDES, Message, Skip


def snippet(to: str, path: Path) -> str:
    """Return the lines that configure one of the targets; `path` is the converted file."""
    kind = {".parquet": "parquet", ".csv": "csv"}.get(path.suffix.lower(), "json")
    names = {"yaml": str(path), "folder": str(path.parent), "name": path.stem}
    quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in names.items()}
    return TARGETS[to].snippet.format(**quoted, shell=shlex.quote(str(path)), kind=kind)


MEDIA = ("images", "videos", "audios")
"""Columns of LLaMA-Factory that it reads only where `dataset_info.json` names them, as it does `tools`."""


def dataset_info(path: Path, columns: Iterable[str] = ()) -> dict[str, Any]:
    """Return the entry that LLaMA-Factory's `dataset_info.json` needs for the file, which has these columns."""
    own = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    columns = own | {name: name for name in ("tools", *MEDIA) if name in columns}
    return {path.stem: {"file_name": path.name, "formatting": "sharegpt", "ranking": True, "columns": columns}}


_TRL = """\
# {trainer}.yaml, for: trl {trainer} --config {trainer}.yaml --model_name_or_path MODEL
datasets:
  - path: {{kind}}
    data_files: {{yaml}}
"""
_LLAMAFACTORY = """\
# dpo.yaml, for: llamafactory-cli train dpo.yaml; dataset_info.json beside the pairs describes them
# yours to choose: MODEL, and TEMPLATE (the model's chat template, by its name in LLaMA-Factory: qwen, llama3 ...)
model_name_or_path: MODEL
template: TEMPLATE
output_dir: saves/dpo
do_train: true
finetuning_type: lora
stage: dpo
dataset_dir: {folder}
dataset: {name}
"""
_SWIFT = """\
# ms-swift 3.8 or newer
swift rlhf --rlhf_type dpo --model MODEL --dataset {shell}
"""
_AXOLOTL = """\
# dpo.yaml, for: axolotl train dpo.yaml; yours to choose: MODEL, and what training depends on
base_model: MODEL
output_dir: outputs/dpo
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
micro_batch_size: 1
gradient_accumulation_steps: 8
num_epochs: 1
learning_rate: 5e-6
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

Rows = list[dict[str, Any]]
_FROM = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation", "developer": "system"}
_MARKS = {"image": "<image>", "image_url": "<image>", "video": "<video>", "audio": "<audio>", "input_audio": "<audio>"}


class Parts(NamedTuple):
    """A pair as what both sides share before the answers, and the answers."""

    context: list[Message]
    chosen: list[Message]
    rejected: list[Message]

    @classmethod
    def of(cls, pair: Mapping[str, Any]) -> Parts:
        """Split a pair. Both answers begin with an assistant's turn; without such a place the context is empty."""
        chosen, rejected = pair["chosen"], pair["rejected"]
        at = min(common_prefix(chosen, rejected), min(len(chosen), len(rejected)) - 1)
        while at and not chosen[at]["role"] == rejected[at]["role"] == "assistant":
            at -= 1
        return cls(chosen[:at], chosen[at:], rejected[at:])

    @property
    def single(self) -> bool:
        """Both answers are one turn."""
        return len(self.chosen) == len(self.rejected) == 1

    @property
    def in_turn(self) -> bool:
        """User (or tool) and assistant take turns in the context, below a system message, and the user is the last."""
        roles = ["assistant" if turn["role"] == "function_call" else turn["role"] for turn in self.context]
        roles = roles[1:] if roles[:1] == ["system"] else roles
        regular = (role != "system" and (role in ("user", "tool")) == (at % 2 == 0) for at, role in enumerate(roles))
        return len(roles) % 2 == 1 and all(regular)


def _spoken(parts: Parts, rest: dict[str, Any], lost: set[str]) -> Parts | Skip:
    """Return the parts with turns of {from, value}'s kinds: a call is a turn of its own, an image a mark in the text.

    What an image part brings is added to the columns in `rest`; what such turns can't hold is added to `lost`.
    """
    made = list[list[Any]]()
    brought: dict[str, list[Any]] = {}
    for turns in parts:
        spoken = []
        for turn in cast("list[dict[str, Any]]", turns):
            if len(turn) == 2 and isinstance(turn.get("content"), str):
                spoken.append(turn)
                continue
            calls, content = turn.get("tool_calls"), turn.get("content")
            if calls and content:
                return Skip("turns", "a turn with words and calls of tools, where the shape holds one of them")
            lost.update(f"{key} of a message" for key in turn if key not in ("role", "content", "tool_calls"))
            if calls:
                spoken.append({"role": "function_call", "content": _calls(calls)})
                continue
            spoken.append({"role": turn["role"], "content": _marked(content, brought)})
        made.append(spoken)
    for name, values in brought.items():
        if rest.setdefault(name, values) != values:
            lost.add(f"{name} in parts of a message")
    return Parts(*made)


def _calls(calls: Sequence[Mapping[str, Any]]) -> str:
    """Return calls as LLaMA-Factory reads them: JSON of {name, arguments}, or of a list of them."""
    found = []
    for call in calls:
        function = call.get("function", call)
        arguments = function.get("arguments")
        with suppress(ValueError):
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        found.append({"name": function.get("name"), "arguments": arguments})
    return json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False)


def _marked(content: Any, brought: dict[str, list[Any]]) -> str:
    """Return parts as one text with a mark for each image, and add the images that they bring to `brought`."""
    if not isinstance(content, list):
        return content or ""
    text = ""
    for part in content:
        kind = part.get("type")
        if kind in _MARKS:
            text += _MARKS[kind]
            held = next((part[key] for key in (kind, "url", "path", "image", "video", "audio") if part.get(key)), None)
            held = held.get("url", held) if isinstance(held, Mapping) else held
            if held is not None:
                brought.setdefault(_MARKS[kind].strip("<>") + "s", []).append(held)
        else:
            text += str(part.get("text", ""))
    return text


@dataclass(frozen=True)
class Target:
    """A shape that a trainer reads.

    `reader` is who reads it, `shape` names the one to write, `snippet` configures the trainer. `columns` are its own:
    other columns of these names can't be kept beside them.
    """

    reader: str
    shape: str
    snippet: str
    columns: tuple[str, ...] = ("prompt",)

    def rows(self, pair: Mapping[str, Any], lost: set[str]) -> Rows | Skip:
        """Return the rows of a pair, its other columns in each, or why the shape can't hold it.

        Columns that can't be kept are added to `lost`.
        """
        rest = {name: value for name, value in pair.items() if name not in SIDES}
        lost.update(name for name in self.columns if rest.pop(name, None) is not None)
        parts = Parts.of(pair)
        if self.shape in ("llamafactory", "sharegpt"):
            spoken = _spoken(parts, rest, lost)
            if isinstance(spoken, Skip):
                return spoken
            parts = spoken
            if isinstance(rest.get("tools"), list) and self.shape == "llamafactory":  # it reads them as JSON
                rest["tools"] = json.dumps(rest["tools"], ensure_ascii=False)
        if parts.chosen == parts.rejected:
            return Skip("same", "both sides are the same")
        made = self._shaped(pair, parts)
        return made if isinstance(made, Skip) else [row | rest for row in made]

    def _shaped(self, pair: Mapping[str, Any], parts: Parts) -> Rows | Skip:
        if self.shape == "trl":
            return [{"chosen": pair["chosen"], "rejected": pair["rejected"]}]
        if self.shape == "ms-swift":
            return [{"messages": pair["chosen"], "rejected_messages": pair["rejected"]}]
        if not parts.context:
            return Skip("context", "the sides have no beginning in common that ends before an answer")
        if self.shape == "trl-explicit":
            return [{"prompt": parts.context, "chosen": parts.chosen, "rejected": parts.rejected}]
        if self.shape == "kto":
            answers = ((parts.chosen, True), (parts.rejected, False))
            return [{"prompt": parts.context, "completion": answer, "label": label} for answer, label in answers]
        if self.shape == "llamafactory" and not parts.in_turn:
            return Skip("turns", "LLaMA-Factory passes over rows in which user and assistant don't take turns")
        if not parts.single:
            return Skip("turns", "an answer of more than one turn, where the shape holds one message")
        if self.shape == "axolotl":
            return [{"messages": parts.context, "chosen": parts.chosen[0], "rejected": parts.rejected[0]}]
        turns = [*parts.context, parts.chosen[0], parts.rejected[0]]
        *context, good, bad = (
            {"from": _FROM.get(turn["role"], turn["role"]), "value": turn["content"]} for turn in turns
        )
        return [{"conversations": context, "chosen": good, "rejected": bad}]


_DPO = _TRL.format(trainer="dpo")
_OF_SWIFT = ("messages", "rejected_messages", "rejected_response")
_CONVERSATIONS = (*_OF_SWIFT, "conversations", "prompt", "system")
_COMPLETIONS = ("prompt", "completion", "label", "kto_tag", "messages", "conversations")
TARGETS: Mapping[str, Target] = {
    "trl": Target("TRL", "trl", _DPO + "# or: pairforge train dpo --dataset_name {shell}\n"),
    "trl-explicit": Target("TRL, explicit prompt", "trl-explicit", _DPO),
    "llamafactory": Target("LLaMA-Factory", "llamafactory", _LLAMAFACTORY, _CONVERSATIONS),
    "ms-swift": Target("ms-swift", "ms-swift", _SWIFT, _OF_SWIFT),
    "axolotl": Target("axolotl", "axolotl", _AXOLOTL, _CONVERSATIONS),
    "openrlhf": Target("OpenRLHF", "trl-explicit", _OPENRLHF),
    "sharegpt": Target("ShareGPT", "sharegpt", _SHAREGPT, _CONVERSATIONS),
    "kto": Target("TRL, KTO", "kto", _TRL.format(trainer="kto"), _COMPLETIONS),
}
