"""The dataset card (`README.md`), a pure function of the manifest, and the stamp by which a later push recognizes it.

All text from the data is put into code spans or fences, or goes through the YAML writer: nothing in it can become a
link, an image, a mention, a table cell or another key of the header.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..checks import RULES
from ..markdown import code_span, fence, without_places
from ..text import plural
from ..types import digest
from .manifest import DataConfig, Manifest

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData

TAGS = ["dpo", "trl", "preference", "rlhf", "pairforge"]
_OWN_TEXT = "[//]: # (pairforge: a text of your own below this line stays; the next push replaces what is above)"
_LICENSE = ("license", "license_name", "license_link")
_KEYS = {
    "pretty_name", "language", "task_categories", "size_categories", "tags", "source_models", "configs",
    "dataset_info", *_LICENSE,
}  # fmt: skip
"""The keys of the header that a push writes; all others are the user's own."""
_LARGEST_HEADER = 100_000  # values
_OFTEN_ADDED = ("language", *_LICENSE)
"""Keys that the user may have added where a push wrote none."""
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_SECTIONS = (
    "How to use it", "What is meant to differ", "How it was made", "From prompts to pairs", "Statistics", "Checks",
    "Report", "Example", "Known limits", "Licence",
)  # fmt: skip
"""The headings of a card; a section with another heading is the user's own."""
_ASKED = {"prompts": "prompts", "contexts": "contexts in which each is asked"}
_MADE = {"pairs": "pairs", "counter": "counter-pairs added", "retain": "on-policy pairs added"}


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
    body = "\n" + "\n\n".join(filter(None, _card(manifest, repo or "YOUR-NAME/YOUR-DATASET"))) + "\n"
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
    added = ((), _LICENSE, ("language",), _OFTEN_ADDED)
    known = (_fingerprint({key: ours[key] for key in ours if key not in keys}, body) for keys in added)
    return Stamp(card, edited=card not in known)


def with_own_parts(card: str, there: str) -> str:
    """Return a card that `render` made with what the user wrote into the one that is `there`.

    That is the text below the line that says so, the sections of the user's own above it, or all of a card that
    pairforge didn't write, and the keys of the header that the new card has not, such as `viewer`.
    """
    from huggingface_hub import CardData

    new, body = _parts(card)
    old, text = _parts(there)
    above, line, below = text.rpartition(_OWN_TEXT)  # the last one: a text from the data may hold the line, too
    if stamp(there):
        mine = "\n\n".join(filter(None, (*_own_sections(above if line else text), below.strip() if line else "")))
    else:
        mine = below.strip() if line else text.strip()
    kept = [key for key in _OFTEN_ADDED if ("license" if key in _LICENSE else key) not in new]
    extra = {key: value for key, value in old.items() if key not in (*_KEYS, "pairforge") or key in kept}
    if tags := [tag for tag in _listed(old.get("tags")) if tag not in (*new["tags"], "synthetic")]:
        extra["tags"] = [*new["tags"], *tags]
    if not mine and not extra:
        return card
    return f"---\n{CardData(**{**new, **extra}).to_yaml()}\n---\n{body}" + (f"\n{mine}\n" if mine else "")


def changed_parts(card: str, there: str) -> list[str]:
    """Return the keys of the header, and the headings, at which a card differs from the card that is there."""
    (new, body), (old, text) = _parts(card), _parts(there)
    keys = [key for key in {**old, **new} if key != "pairforge" and new.get(key) != old.get(key)]
    sections, before = (
        {part.partition("\n")[0].strip("# "): part.strip() for part in _sections(one)} for one in (body, text)
    )
    return keys + [title for title in {**sections, **before} if sections.get(title) != before.get(title)]


def _own_sections(text: str) -> Iterator[str]:
    """Yield the sections with headings that no card of pairforge's has."""
    titles = {f"## {title}" for title in _SECTIONS} | {"# Preference pairs"}
    for part in _sections(text)[1:]:
        title = part.partition("\n")[0].strip()
        if title not in titles and not title.startswith("## Config "):
            yield part.strip()


def _sections(text: str) -> list[str]:
    """Return what is before the first heading, and each section; a heading in a fence is none."""
    parts, fenced = [""], ""
    for line in text.splitlines(keepends=True):
        if ticks := re.match("`{3,}", line):
            fenced = "" if fenced and line.strip() == fenced else fenced or ticks[0]
        if not fenced and re.match("#{1,2} ", line):
            parts.append("")
        parts[-1] += line
    return parts


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parts(card: str) -> tuple[dict[str, Any], str]:
    """Return the header and the body of a card; no header where there is none that can be read."""
    import yaml
    from huggingface_hub import RepoCard

    text = card.replace("\r\n", "\n")
    if not text.startswith("---"):  # for which the library prints a warning
        return {}, text
    try:
        read: Any = RepoCard(text, ignore_metadata_errors=True)
        header = dict(read.data.to_dict())
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return {}, text
    return (header, str(read.text)) if _is_plain(header) else ({}, text)


def _is_plain(value: Any) -> bool:
    """Return False for a value of YAML that anchors make too large to be written, or with keys that are no text."""
    left, seen = [value], 0
    while left and seen <= _LARGEST_HEADER:
        one, seen = left.pop(), seen + 1
        if isinstance(one, Mapping):
            if not all(isinstance(key, str) for key in one):
                return False
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
    return not left


def _fingerprint(header: Mapping[str, Any], body: str) -> str:
    tags = [tag for tag in _listed(header.get("tags")) if tag in (*TAGS, "synthetic")]  # the user may have added some
    return digest([{**header, "tags": tags}, (body.rpartition(_OWN_TEXT)[0] or body).strip()], 64)


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
    models = {str(model["name"]) for config in manifest.configs.values() for model in config.models}
    languages = {one for config in manifest.configs.values() for one in _languages(config)}
    header = DatasetCardData(
        pretty_name=repo.split("/")[-1] if repo else "Preference pairs",
        language=sorted(languages) or None,
        license=known or None,
        license_name=own or None,
        task_categories=["text-generation"],
        size_categories=[next((name for limit, name in _SIZES if main.rows < limit), "n>10M")],
        tags=[*TAGS, *(["synthetic"] if _made_here(main) else [])],
        configs=configs,
        # Without the splits: `datasets` ignores them, with a warning, where their size in memory isn't given.
        dataset_info=[{"config_name": name, "features": [*map(_as_list, config.features)]} for name, config in order],
    )
    if ids := sorted(model for model in models if re.fullmatch(r"[\w.-]+/[\w.-]+", model, re.ASCII)):
        header["source_models"] = ids
    return header


def _as_list(value: Any) -> Any:
    """Return JSON data with lists in place of tuples, which the YAML writer would mark as Python's."""
    if isinstance(value, Mapping):
        return {key: _as_list(item) for key, item in value.items()}
    return [*map(_as_list, value)] if isinstance(value, list | tuple) else value


def _languages(config: DataConfig) -> list[str]:
    found = config.statistics.get("languages")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []


def _made_here(config: DataConfig) -> bool:
    """Return whether all columns of a run are there: other rows are not said to be pairforge's work."""
    return bool(config.methods and config.models and config.judges)


def _card(manifest: Manifest, repo: str) -> Iterator[str]:
    main = manifest.configs[manifest.default]
    pairs = {name: config for name, config in manifest.configs.items() if config.kind == "pairs"}
    how = "made with pairforge from a model's own answers" if _made_here(main) else "packaged with pairforge"
    yield "# Preference pairs"
    yield (
        f"{plural(main.rows, 'preference pair')}, {how}. `chosen` and `rejected` are\n"
        "whole ChatML conversations (lists of `role` and `content`) with the same context, and differ at the end."
    )
    if len(manifest.configs) > 1:
        rows = [
            (code_span(name, cell=True), one.kind, one.rows, _splits(one)) for name, one in manifest.configs.items()
        ]
        yield _table(("config", "kind", "rows", "splits"), rows)
    models = [
        f"{model['name']}@{model['revision'][:40]}" if model.get("revision") else str(model["name"])
        for model in main.models
    ]
    facts = {"method": main.methods, "model": models, "judge": main.judges, "language": _languages(main)}
    shown = {key: ", ".join(map(code_span, without_places(list(found)[:5]))) for key, found in facts.items()}
    yield "\n".join(f"- {key}: {text}" for key, text in shown.items() if text)
    if "pocket" in models:
        yield (
            "**Made by pairforge's bundled pocket model**, a toy for trying the tool: nothing measured on these\n"
            "pairs says anything about a real model."
        )
    yield from _use(manifest, repo)
    for name, config in pairs.items():
        if len(pairs) > 1:
            yield f"## Config {code_span(name)}"
        yield from _about(config, repo, "##" if len(pairs) == 1 else "###")
    yield from _limits(main)
    yield from _licence(main)
    yield _OWN_TEXT


def _splits(config: DataConfig) -> str:
    return ", ".join(f"{code_span(name, cell=True)} {split.rows}" for name, split in config.splits.items())


def _table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table; the cells are Markdown, and those of texts from outside code spans."""
    lines = [[*titles]]
    lines += [["---"] * len(lines[0]), *([*map(str, row)] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _use(manifest: Manifest, repo: str) -> Iterator[str]:
    """Yield how the default config is loaded, and what each trainer is called with."""
    main = manifest.configs[manifest.default]
    load = f'from datasets import load_dataset\n\npairs = load_dataset("{repo}", split="train")'
    yield f"## How to use it\n\n{fence(load, 'python')}"
    explicit = any(column.get("name") == "prompt" for column in main.features)
    key = " --data.prompt_key prompt" if explicit else ""
    commands = [
        f"pairforge train dpo --dataset {repo} --model MODEL",
        "# TRL",
        f"trl dpo --dataset_name {repo} --model_name_or_path MODEL --output_dir OUT",
        "# OpenRLHF, beside the options of your model; in older versions the same options have no data.",
        f"deepspeed --module openrlhf.cli.train_dpo --data.dataset {repo} \\",
        f"  --data.apply_chat_template{key} --data.chosen_key chosen --data.rejected_key rejected",
    ]
    if not explicit:
        columns = '\'{"chosen":"messages","rejected":"rejected_messages"}\''
        commands += [
            "# ms-swift 3.8 or newer",
            f"swift rlhf --rlhf_type dpo --model MODEL --use_hf true --dataset {repo} --columns {columns}",
        ]
    if any(config.kind == "llamafactory" for config in manifest.configs.values()):
        name = next(name for name, config in manifest.configs.items() if config.kind == "llamafactory")
        commands += [
            "# LLaMA-Factory; TEMPLATE is the model's chat template by its name there",
            "llamafactory-cli train --stage dpo --do_train --model_name_or_path MODEL --template TEMPLATE \\",
            f"  --dataset_dir REMOTE:{repo} --dataset {name} --finetuning_type lora --output_dir OUT",
        ]
    yield fence("\n".join(commands), "bash")
    kind = "chat_template.default" if explicit else "chat_template.argilla_chat"
    more = "\n    field_messages: prompt" if explicit else ""
    axolotl = f"rl: dpo\ndatasets:\n  - path: {repo}\n    split: train\n    type: {kind}{more}"
    yield f"axolotl:\n\n{fence(axolotl, 'yaml')}"
    if not any(config.kind == "llamafactory" for config in manifest.configs.values()):
        yield "LLaMA-Factory reads another shape: `pairforge convert --to llamafactory`."


def _about(config: DataConfig, repo: str, level: str) -> Iterator[str]:
    """Yield how the pairs of a config were made, and what was found in them."""
    if isinstance(rules := config.settings.get("rules"), Mapping) and rules:
        yield (
            f"{level} What is meant to differ\n\nThe pairs teach these words on purpose. An audit for shortcuts finds"
            " them;\nthat is what the pairs are for."
        )
        yield "\n".join(f"- {code_span(old)} in `rejected`, {code_span(new)} in `chosen`" for old, new in rules.items())
    if config.run:
        yield from _made(config, repo, level)
    if config.statistics:
        yield f"{level} Statistics\n\n{_statistics(config.statistics)}"
    yield f"{level} Checks"
    yield from _checks(config)
    if config.report_path:
        yield (
            f"{level} Report\n\n[{config.report_path}]({config.report_path}) shows all this, and more, as figures and "
            "tables: download it, and open it in\na browser. It runs nothing and loads nothing."
        )
    if config.examples:
        turns = "\n".join(f"{role:>9}: {text}" for role, text in config.examples[0])
        yield f"{level} Example\n\n{fence(turns, 'text')}"


def _made(config: DataConfig, repo: str, level: str) -> Iterator[str]:
    command = str(config.command)
    by = f" by `pairforge {command}`" if re.fullmatch(r"[a-z-]{1,40}", command) else ""
    yield f"{level} How it was made"
    if config.argv:
        yield fence(shlex.join(without_places(config.argv)), "bash")
    settings = json.dumps(without_places(config.settings), indent=2, ensure_ascii=False, sort_keys=True)
    yield f"Made{by}, with these settings of prompts, model, decoding and judge:\n\n{fence(settings, 'json')}"
    yield f"To make it again, and to compare: `pairforge reproduce {repo}`"
    counts = config.counts
    rows = [(what + (code_span(why, cell=True) if why else ""), _number(count)) for what, why, count in funnel(counts)]
    rows += [(code_span(name, cell=True), _number(value)) for name, value in other_counts(counts)]
    yield f"{level} From prompts to pairs\n\n{_table(('', 'number'), [*rows, ('rows in this config', config.rows)])}"


def funnel(counts: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield what was asked, what was skipped and what was made: in words, the reason of a skip, and the number."""
    skips = counts.get("skips")
    skipped = sorted(skips.items()) if isinstance(skips, Mapping) else []
    yield from ((said, "", counts[name]) for name, said in _ASKED.items() if name in counts)
    yield from (("skipped: ", why, count) for why, count in skipped)
    yield from ((said, "", counts[name]) for name, said in _MADE.items() if name in counts)


def other_counts(counts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the other figures of a run under their names, such as those of its answers and of its judge."""
    for name in sorted(counts.keys() - {*_ASKED, *_MADE, "skips", "rules"}):
        yield from _figures(name, counts[name])


def _figures(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and name.count(": ") < 3:
        for key, inner in value.items():
            yield from _figures(f"{name}: {str(key).replace('_', ' ')}", inner)
    else:
        yield name, value


def _number(count: Any) -> str:
    """Return a count of a run, which may be a run that somebody gave."""
    return str(count) if type(count) in (int, float) else code_span(json.dumps(count, default=str), cell=True)


def _statistics(found: Mapping[str, Any]) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, Mapping):
            return ", ".join(
                f"{key if key in ('mean', 'median') else code_span(key, cell=True)} {shown(one)}"
                for key, one in value.items()
            )
        if isinstance(value, list | tuple):
            return ", ".join(map(shown, value))
        return str(value) if type(value) in (int, float) else code_span(value, cell=True)

    return _table(
        ("", ""), ((code_span(name.replace("_", " "), cell=True), shown(one)) for name, one in sorted(found.items()))
    )


def _checks(config: DataConfig) -> Iterator[str]:
    """Yield what the checks found, as it is, and what was allowed for which reason."""
    rows = []
    for code, found in sorted(config.findings.items()):
        name = RULES[code].see.__name__.replace("_", " ") if code in RULES else ""
        rows.append((code_span(code, cell=True), name, found["severity"], found["rows"] or "the set"))
    if rows:
        yield "What the checks found; near-duplicates were not looked for:"
        yield _table(("check", "", "severity", "rows"), rows)
    else:
        yield "The checks found nothing; near-duplicates were not looked for."
    if config.allowed:
        yield "Published all the same, for these reasons:"
        yield "\n".join(f"- {code_span(code)}: {code_span(why)}" for code, why in sorted(config.allowed.items()))
    audit = config.shortcuts or {}
    if isinstance(accuracy := audit.get("accuracy"), float):
        yield (
            f"Without seeing the prompt, a simple classifier picks the chosen answer in {100 * accuracy:.0f} % of the\n"
            f"pairs of a sample ({_number(audit.get('prompts'))} prompts; 50 % is chance)."
        )
    unintended = audit.get("unintended")
    listed = [str(one) for one in unintended] if isinstance(unintended, list | tuple) else []
    yield "\n".join(f"- {code_span(one)}" for one in listed[:20])


def _limits(config: DataConfig) -> Iterator[str]:
    said = ["What the answers say was not checked against facts; `chosen` is better than `rejected`, not always right."]
    if "correct" in config.methods:
        said.append("Correction pairs differ in the names alone: they teach these, and nothing about quality.")
        if not config.counts.get("counter"):
            said.append("No pair shows where the new name would be wrong: there are no counter-pairs.")
    if config.judges and not {*config.methods} <= {"correct", "counter"}:
        said.append("What is better was decided by the judge that is named above, with its mistakes.")
    if not _made_here(config):
        said.append("Who wrote these pairs is not known here: they were packaged as they were given.")
    if len(languages := _languages(config)) == 1:
        said.append(f"The prompts are in one language ({code_span(languages[0])}).")
    if {"PF502", "PF503"} & {*config.findings}:
        said.append("Some rows hold what looks like an e-mail address or a phone number: see the checks.")
    yield "## Known limits\n\n" + "\n".join(f"- {one}" for one in said)


def _licence(config: DataConfig) -> Iterator[str]:
    whole = config.licenses.get("set")
    lines = [f"- of this set: {code_span(whole) if whole else '**unknown: review** the licences of its sources'}"]
    for part, name in (("prompts", "prompts"), ("models", "models that wrote the answers")):
        one = config.licenses.get(part)
        lines.append(f"- of the {name}: {code_span(one) if one else 'unknown: review'}")
    yield "## Licence\n\n" + "\n".join(lines)
