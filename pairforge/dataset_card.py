"""The dataset card (`README.md`) of pushed pairs, and the stamp by which a later push recognizes its own work.

All text from the data is put into code spans or fences, or goes through the YAML writer: nothing in it can become a
link, an image, a mention, a table cell or another key of the header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .conversation import context_of, written
from .markdown import code_span, fence, shortened, without_local_paths
from .types import digest

if TYPE_CHECKING:
    from datasets import Features
    from huggingface_hub import DatasetCardData

TAGS = ["preference-pairs", "dpo", "chatml", "synthetic", "pairforge"]
_STAMPED = ("rows", "card", "data")
_EXAMPLES = 3
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True)
class Stamp:
    """SHA-256 digests under the key `pairforge` of a card's header: of the push that wrote the card.

    `rows` is of the rows' canonical JSON, so that it depends neither on key order, batch size nor the version of
    pyarrow; `card` is of the rest of the card as it was written; `data` is of the Parquet file's bytes. `edited`, which
    is not in the header, says that the card was changed since.
    """

    rows: str
    card: str
    data: str
    edited: bool = False


def render(
    rows: Sequence[Mapping[str, Any]],
    run: Mapping[str, Any],
    *,
    features: Features,
    data_file: str,
    data_sha256: str,
    license: str | None = None,
    repo: str | None = None,
    pocket: bool = False,
) -> str:
    """Return the text of the card; the same arguments give the same text.

    Args:
        run: the content of `run.json`, empty for pairs that were not made by a run.
        repo: the dataset's id in the commands that load it and train on it.
        pocket: the pairs were made by the bundled pocket model.
    """
    header: Any = _header(len(rows), features, data_file, license, repo)
    sections = _sections(rows, run, repo or "YOUR-NAME/YOUR-DATASET", pocket)
    body = "\n" + "\n\n".join(filter(None, sections)) + "\n"
    mark = Stamp(digest([dict(row) for row in rows], 64), _fingerprint(header.to_dict(), body), data_sha256)
    header["pairforge"] = {key: getattr(mark, key) for key in _STAMPED}
    return f"---\n{header.to_yaml()}\n---\n{body}"


def stamp(text: str) -> Stamp | None:
    """Return the stamp in a card's text; None where pairforge didn't write the card, or its header can't be read."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        card: Any = DatasetCard(text.replace("\r\n", "\n"), ignore_metadata_errors=True)
    except (yaml.YAMLError, ValueError, TypeError):
        return None
    header = card.data.to_dict()
    mark = header.pop("pairforge", None)
    values: dict[str, Any] = {key: mark.get(key) for key in _STAMPED} if isinstance(mark, dict) else {}
    if not values or not all(isinstance(value, str) for value in values.values()):
        return None
    return Stamp(**values, edited=values["card"] != _fingerprint(header, card.text))


def _fingerprint(header: Mapping[str, Any], body: str) -> str:
    return digest([dict(header), body.strip()], 64)


def _header(count: int, features: Features, data_file: str, license: str | None, repo: str | None) -> DatasetCardData:
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    header = DatasetCardData(
        pretty_name=repo.split("/")[-1] if repo else "Preference pairs",
        license=license,
        task_categories=["text-generation"],
        size_categories=[next((name for limit, name in _SIZES if count < limit), "n>10M")],
        tags=TAGS,
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": data_file}]}],
    )
    DatasetInfosDict({"default": DatasetInfo(features=features)}).to_dataset_card_data(header)
    header["dataset_info"]["splits"] = [{"name": "train", "num_examples": count}]
    return header


def _sections(rows: Sequence[Mapping[str, Any]], run: Mapping[str, Any], repo: str, pocket: bool) -> Iterator[str]:
    yield "# Preference pairs"
    yield (
        f"{len(rows)} preference pairs made with pairforge from a model's own answers. `chosen` and `rejected` are\n"
        "whole ChatML conversations (lists of `role` and `content`) with the same context, and differ at the end."
    )
    values = {key: sorted({str(row[key]) for row in rows if row.get(key)}) for key in ("method", "model", "judge")}
    shown = {key: ", ".join(map(code_span, without_local_paths(found[:5]))) for key, found in values.items()}
    yield "\n".join(f"- {key}: {text}" for key, text in shown.items() if text)
    if pocket:
        yield (
            "**Made by pairforge's bundled pocket model**, a toy for trying the tool: nothing measured on these\n"
            "pairs says anything about a real model."
        )
    load = f'from datasets import load_dataset\n\npairs = load_dataset("{repo}", split="train")'
    train = f"pairforge train dpo --dataset {repo} --model MODEL"
    yield f"## Load\n\n{fence(load, 'python')}\n\n## Train\n\n{fence(train, 'bash')}"
    yield (
        "TRL's `DPOTrainer`, axolotl (`chat_template.argilla_chat`) and OpenRLHF (`--data.apply_chat_template`) read\n"
        "the pairs as they are."
    )
    settings, counts, command = run.get("settings", {}), run.get("counts", {}), str(run.get("command"))
    if isinstance(rules := settings.get("rules"), Mapping) and rules:
        yield (
            "## What is meant to differ\n\nThe pairs teach these words on purpose. An audit for shortcuts finds them;\n"
            "that is what the pairs are for."
        )
        yield "\n".join(f"- {code_span(old)} in `rejected`, {code_span(new)} in `chosen`" for old, new in rules.items())
    if run:
        lines = [f"- {name}: {counts[name]}" for name in ("prompts", "pairs", "counter", "retain") if name in counts]
        skips = sorted((counts.get("skips") or {}).items())
        lines += [f"- skipped, {code_span(reason)}: {int(count)}" for reason, count in skips]
        yield "## How it was made"
        yield "\n".join(lines)
        yield f"Made by `pairforge {command}` with these settings:" if re.fullmatch(r"[a-z-]{1,40}", command) else ""
        yield fence(json.dumps(without_local_paths(settings), indent=2, ensure_ascii=False, sort_keys=True), "json")
    yield "## Examples"
    for row in rows[:: max(1, len(rows) // _EXAMPLES)][:_EXAMPLES]:
        yield fence(_conversation(row), "text")


def _conversation(row: Mapping[str, Any]) -> str:
    turns = [(message["role"], written(message)) for message in context_of(row)]
    turns += [(side, written(row[side][-1])) for side in ("chosen", "rejected")]
    return "\n".join(f"{name:>9}: {shortened(text)}" for name, text in turns)
