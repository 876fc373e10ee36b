"""What each trainer must be told to read a converted file: its options or its YAML, ready to paste."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

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
