"""The dataset card (`README.md`) of pushed pairs, and the stamp by which a later push recognizes its own work.

All text from the data is put into code spans or fences, or goes through the YAML writer: nothing in it can become a
link, an image, a mention, a table cell or another key of the header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..markdown import code_span, fence, without_places
from ..text import plural
from ..types import digest
from .manifest import DataConfig, Manifest

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData

TAGS = ["preference-pairs", "dpo", "chatml", "synthetic", "pairforge"]
_OWN_TEXT = "[//]: # (pairforge: a text of your own below this line stays; the next push replaces what is above)"
_LICENSE = ("license", "license_name", "license_link")
_KEYS = {
    "pretty_name", "task_categories", "size_categories", "tags", "configs", "dataset_info", *_LICENSE
}  # fmt: skip
"""The keys of the header that a push writes; all others are the user's own."""
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True)
class Stamp:
    """What a card of pairforge's has under the key `pairforge` of its header.

    `card` is the SHA-256 of the rest of the card as it was written. `edited`, which is not in the header, says that the
    card was changed since, above the line from which on it is the user's.
    """

    card: str
    edited: bool = False


def render(manifest: Manifest, repo: str | None = None) -> str:
    """Return the text of the card; the same manifest gives the same text.

    `repo` is the dataset's id in the commands that load it and train on it.
    """
    header: Any = _header(manifest, repo)
    sections = _sections(manifest, repo or "YOUR-NAME/YOUR-DATASET")
    body = "\n" + "\n\n".join(filter(None, (*sections, _OWN_TEXT))) + "\n"
    header["pairforge"] = {"card": _fingerprint(header.to_dict(), body)}
    return f"---\n{header.to_yaml()}\n---\n{body}"


def stamp(text: str) -> Stamp | None:
    """Return the stamp in a card's text; None where pairforge didn't write the card, or its header can't be read."""
    header, body = _parts(text)
    mark = header.pop("pairforge", None)
    card = mark.get("card") if isinstance(mark, dict) else None
    if not isinstance(card, str):
        return None
    ours = {key: value for key, value in header.items() if key in _KEYS}
    unlicensed = {key: value for key, value in ours.items() if key not in _LICENSE}  # as the user may have added one
    return Stamp(card, edited=card not in (_fingerprint(ours, body), _fingerprint(unlicensed, body)))


def with_own_parts(card: str, there: str) -> str:
    """Return a card that `render` made with what the user wrote into the one that is `there`.

    That is the text below the line that says so, or all of a card that pairforge didn't write, and the keys of the
    header that the new card has not, such as `language`.
    """
    from huggingface_hub import CardData

    new, body = _parts(card)
    old, text = _parts(there)
    _, line, below = text.rpartition(_OWN_TEXT)  # the last one: a text from the data may hold the line, too
    mine = below.strip() if line else "" if stamp(there) else text.strip()
    kept = _LICENSE if "license" not in new else ()
    extra = {key: value for key, value in old.items() if key not in (*_KEYS, "pairforge") or key in kept}
    if not mine and not extra:
        return card
    return f"---\n{CardData(**new, **extra).to_yaml()}\n---\n{body}" + (f"\n{mine}\n" if mine else "")


def _parts(card: str) -> tuple[dict[str, Any], str]:
    """Return the header and the body of a card; no header where there is none that can be read."""
    import yaml
    from huggingface_hub import RepoCard

    text = card.replace("\r\n", "\n")
    if not text.startswith("---"):  # for which the library prints a warning
        return {}, text
    try:
        read: Any = RepoCard(text, ignore_metadata_errors=True)
        return dict(read.data.to_dict()), str(read.text)
    except (yaml.YAMLError, ValueError, TypeError):
        return {}, text


def _fingerprint(header: Mapping[str, Any], body: str) -> str:
    return digest([dict(header), (body.rpartition(_OWN_TEXT)[0] or body).strip()], 64)


def _header(manifest: Manifest, repo: str | None) -> DatasetCardData:
    from huggingface_hub import DatasetCardData

    main = manifest.configs[manifest.default]
    known, _, own = (main.licenses.get("set") or "").partition(":")
    order = sorted(manifest.configs.items(), key=lambda item: item[0] != manifest.default)
    configs: list[dict[str, Any]] = [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": [file.path for file in held.files]} for split, held in config.splits.items()
            ],
        }
        for name, config in order
    ]
    configs[0]["default"] = True
    return DatasetCardData(
        pretty_name=repo.split("/")[-1] if repo else "Preference pairs",
        license=known or None,
        license_name=own or None,
        task_categories=["text-generation"],
        size_categories=[next((name for limit, name in _SIZES if main.rows < limit), "n>10M")],
        tags=TAGS,
        configs=configs,
        dataset_info=[
            {
                "config_name": name,
                "features": [*map(_as_list, config.features)],
                "splits": [
                    {"name": split, "num_bytes": sum(file.bytes for file in held.files), "num_examples": held.rows}
                    for split, held in config.splits.items()
                ],
            }
            for name, config in order
        ],
    )


def _as_list(value: Any) -> Any:
    """Return JSON data with lists in place of tuples, which the YAML writer would mark as Python's."""
    if isinstance(value, Mapping):
        return {key: _as_list(item) for key, item in value.items()}
    return [*map(_as_list, value)] if isinstance(value, list | tuple) else value


def _sections(manifest: Manifest, repo: str) -> Iterator[str]:
    main = manifest.configs[manifest.default]
    yield "# Preference pairs"
    yield (
        f"{_origin(main)}. `chosen` and `rejected` are\n"
        "whole ChatML conversations (lists of `role` and `content`) with the same context, and differ at the end."
    )
    if len(manifest.configs) > 1:
        yield "\n".join(
            f"- config {code_span(name)}: {plural(one.rows, 'row')}" for name, one in manifest.configs.items()
        )
    models = [str(model["name"]) for model in main.models]
    values = {"method": main.methods, "model": models, "judge": main.judges}
    shown = {key: ", ".join(map(code_span, without_places(found[:5]))) for key, found in values.items()}
    yield "\n".join(f"- {key}: {text}" for key, text in shown.items() if text)
    if "pocket" in models:
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
    settings, counts, command = main.settings, main.counts, str(main.command)
    if isinstance(rules := settings.get("rules"), Mapping) and rules:
        yield (
            "## What is meant to differ\n\nThe pairs teach these words on purpose. An audit for shortcuts finds them;\n"
            "that is what the pairs are for."
        )
        yield "\n".join(f"- {code_span(old)} in `rejected`, {code_span(new)} in `chosen`" for old, new in rules.items())
    if main.run:
        names = [name for name in ("prompts", "pairs", "counter", "retain") if name in counts]
        lines = [f"- {name}: {_number(counts[name])}" for name in names]
        skips = sorted((counts.get("skips") or {}).items())
        lines += [f"- skipped, {code_span(reason)}: {_number(count)}" for reason, count in skips]
        yield "## How it was made"
        yield "\n".join(lines)
        yield f"Made by `pairforge {command}` with these settings:" if re.fullmatch(r"[a-z-]{1,40}", command) else ""
        yield fence(json.dumps(without_places(settings), indent=2, ensure_ascii=False, sort_keys=True), "json")
    yield "## Examples"
    for example in main.examples:
        yield fence("\n".join(f"{role:>9}: {text}" for role, text in example), "text")


def _origin(main: DataConfig) -> str:
    """Return what the rows are: only those with the columns of a run are pairforge's work."""
    made = main.methods and main.models and main.judges
    how = "made with pairforge from a model's own answers" if made else "packaged with pairforge"
    return f"{plural(main.rows, 'preference pair')}, {how}"


def _number(count: Any) -> str:
    """Return a count of a run, which may be a run that somebody gave."""
    return str(count) if type(count) is int else code_span(count)
