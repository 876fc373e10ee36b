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

from ..conversation import context_of, written
from ..markdown import code_span, fence, shortened, without_places
from ..text import plural
from ..types import digest

if TYPE_CHECKING:
    from datasets import Features
    from huggingface_hub import DatasetCardData

TAGS = ["preference-pairs", "dpo", "chatml", "synthetic", "pairforge"]
_STAMPED = ("rows", "card", "data")
_OWN_TEXT = "[//]: # (pairforge: a text of your own below this line stays; the next push replaces what is above)"
_LICENSE = ("license", "license_name", "license_link")
_KEYS = {
    "pretty_name", "task_categories", "size_categories", "tags", "configs", "dataset_info", *_LICENSE
}  # fmt: skip
"""The keys of the header that a push writes; all others are the user's own."""
_EXAMPLES = 3
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True)
class Stamp:
    """SHA-256 digests under the key `pairforge` of a card's header: of the push that wrote the card.

    `rows` is of the rows' canonical JSON, so that it depends neither on key order, batch size nor the version of
    pyarrow; `card` is of the rest of the card as it was written; `data` is of the Parquet file's bytes. `edited`, which
    is not in the header, says that the card was changed since, above the line from which on it is the user's.
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
    rows_sha256: str | None = None,
    license: str | None = None,
    repo: str | None = None,
    pocket: bool = False,
) -> str:
    """Return the text of the card; the same arguments give the same text.

    Args:
        rows_sha256: the digest of the rows, where it is known.
        run: the content of `run.json`, empty for pairs that were not made by a run.
        license: the id of a licence that the Hub knows, or `other:NAME`.
        repo: the dataset's id in the commands that load it and train on it.
        pocket: the pairs were made by the bundled pocket model.
    """
    header: Any = _header(len(rows), features, data_file, license, repo)
    sections = _sections(rows, run, repo or "YOUR-NAME/YOUR-DATASET", pocket)
    body = "\n" + "\n\n".join(filter(None, (*sections, _OWN_TEXT))) + "\n"
    mark = Stamp(
        rows_sha256 or digest([dict(row) for row in rows], 64, str), _fingerprint(header.to_dict(), body), data_sha256
    )
    header["pairforge"] = {key: getattr(mark, key) for key in _STAMPED}
    return f"---\n{header.to_yaml()}\n---\n{body}"


def stamp(text: str) -> Stamp | None:
    """Return the stamp in a card's text; None where pairforge didn't write the card, or its header can't be read."""
    header, body = _parts(text)
    mark = header.pop("pairforge", None)
    values: dict[str, Any] = {key: mark.get(key) for key in _STAMPED} if isinstance(mark, dict) else {}
    if not values or not all(isinstance(value, str) for value in values.values()):
        return None
    ours = {key: value for key, value in header.items() if key in _KEYS}
    unlicensed = {key: value for key, value in ours.items() if key not in _LICENSE}  # as the user may have added one
    return Stamp(**values, edited=values["card"] not in (_fingerprint(ours, body), _fingerprint(unlicensed, body)))


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


def _header(count: int, features: Features, data_file: str, license: str | None, repo: str | None) -> DatasetCardData:
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    known, _, own = (license or "").partition(":")
    header = DatasetCardData(
        pretty_name=repo.split("/")[-1] if repo else "Preference pairs",
        license=known or None,
        license_name=own or None,
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
        f"{_origin(rows)}. `chosen` and `rejected` are\n"
        "whole ChatML conversations (lists of `role` and `content`) with the same context, and differ at the end."
    )
    values = {key: sorted({str(row[key]) for row in rows if row.get(key)}) for key in ("method", "model", "judge")}
    shown = {key: ", ".join(map(code_span, without_places(found[:5]))) for key, found in values.items()}
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
        names = [name for name in ("prompts", "pairs", "counter", "retain") if name in counts]
        lines = [f"- {name}: {_number(counts[name])}" for name in names]
        skips = sorted((counts.get("skips") or {}).items())
        lines += [f"- skipped, {code_span(reason)}: {_number(count)}" for reason, count in skips]
        yield "## How it was made"
        yield "\n".join(lines)
        yield f"Made by `pairforge {command}` with these settings:" if re.fullmatch(r"[a-z-]{1,40}", command) else ""
        yield fence(json.dumps(without_places(settings), indent=2, ensure_ascii=False, sort_keys=True), "json")
    yield "## Examples"
    for row in rows[:: max(1, len(rows) // _EXAMPLES)][:_EXAMPLES]:
        yield fence(_conversation(row), "text")


def _origin(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the rows are: only those with the columns of a run are pairforge's work."""
    made = sum(all(row.get(key) for key in ("prompt_id", "method", "model", "judge")) for row in rows)
    pairs, how = plural(len(rows), "preference pair"), "made with pairforge from a model's own answers"
    if made == len(rows):
        return f"{pairs} {how}"
    return f"{pairs}, packaged with pairforge" + (f"; {made} of them {how}" if made else "")


def _number(count: Any) -> str:
    """Return a count of a run, which may be a run that somebody gave."""
    return str(count) if type(count) is int else code_span(count)


def _conversation(row: Mapping[str, Any]) -> str:
    turns = [(message["role"], written(message)) for message in context_of(row)]
    turns += [(side, written(row[side][-1])) for side in ("chosen", "rejected")]
    return "\n".join(f"{name:>9}: {shortened(text)}" for name, text in turns)
