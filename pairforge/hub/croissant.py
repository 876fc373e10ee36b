"""`croissant.json` of a published data set: what the Hub's own Croissant lacks, provenance and responsible-AI fields.

A pure function of the manifest, after Croissant 1.1 (http://mlcommons.org/croissant/1.1), its section on PROV-O, and
the RAI vocabulary 1.0. Only what the manifest knows is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..resources import installed_versions
from ..text import plural
from .manifest import DataConfig, Manifest

FILE = "croissant.json"
_LANGUAGE_TAGGED = {"@container": "@language"}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "name": _LANGUAGE_TAGGED,
    "description": _LANGUAGE_TAGGED,
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
            "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
            "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate",
            "separator", "source", "subField", "transform",
        )
    },
}  # fmt: skip
"""The standard context of Croissant 1.1, with PROV-O."""
_COLLECTION = {
    "correct": "A model answered prompts, and a rule replaced names in its answers.",
    "onpolicy": "A model answered each prompt several times, and a judge scored the answers.",
}


def text(manifest: Manifest, repo: str | None = None) -> str:
    """Return the content of the file, which lies beside the data: it names the files by their paths."""
    main = manifest.configs[manifest.default]
    value: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": repo or "Preference pairs",
        "description": f"{plural(main.rows, 'preference pair')} of whole conversations, chosen and rejected.",
        "license": main.licenses.get("set"),
        "inLanguage": main.statistics.get("languages"),
        "keywords": ["dpo", "preference", "rlhf"],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.path,
                "name": file.path,
                "contentUrl": file.path,
                "encodingFormat": "application/x-parquet",
                "contentSize": f"{file.bytes} B",
                "sha256": file.sha256,
            }
            for file in manifest.files
        ],
        **_provenance(main),
        **_responsibility(main),
    }
    present = {name: item for name, item in value.items() if item not in (None, [], (), "")}
    return json.dumps(present, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def _provenance(config: DataConfig) -> dict[str, Any]:
    """Return from what the pairs were made, by what, and with which program."""
    prompts = config.settings.get("prompts")
    source = prompts.get("source") if isinstance(prompts, Mapping) else None
    sources = [_entity("prompts", source)] if isinstance(source, str) else []
    for model in config.models:
        revision = f"@{model['revision']}" if model.get("revision") else ""
        sources.append(_entity("model", f"{model['name']}{revision}"))
    if not config.run:
        return {"prov:wasDerivedFrom": sources}
    version = installed_versions("pairforge").get("pairforge", "")
    program = {"@type": "prov:SoftwareAgent", "prov:label": f"pairforge {version}".strip()}
    made = {"@type": "prov:Activity", "prov:label": f"pairforge {config.command}", "prov:wasAssociatedWith": program}
    return {"prov:wasDerivedFrom": sources, "prov:wasGeneratedBy": made}


def _entity(kind: str, label: str) -> dict[str, str]:
    return {"@type": "prov:Entity", "prov:label": f"{kind}: {label}"}


def _responsibility(config: DataConfig) -> dict[str, Any]:
    """Return how the pairs were collected and annotated, and what is known of their weaknesses."""
    made = config.methods and config.models and config.judges
    rules = config.settings.get("rules")
    audit, found = config.shortcuts or {}, config.findings
    unintended = audit.get("unintended")
    personal = {"PF502": "e-mail addresses", "PF503": "phone numbers"}
    return {
        "rai:dataCollection": _COLLECTION.get(config.command or ""),
        "rai:dataCollectionType": ["Synthetic data"] if made else None,
        "rai:dataCollectionMissingData": _skipped(config.counts.get("skips")),
        "rai:dataManipulationProtocol": f"Replaced in the answers: {_json(rules)}" if rules else None,
        "rai:dataAnnotationProtocol": ["The answer with the higher score is chosen."] if config.judges else None,
        "rai:machineAnnotationTools": [*config.judges],
        "rai:dataBiases": [str(one) for one in unintended] if isinstance(unintended, list | tuple) else None,
        "rai:dataLimitations": _problems(found, config.allowed),
        "rai:dataUseCases": ["Preference optimization, such as DPO"],
        "rai:personalSensitiveInformation": [
            f"{plural(found[code]['rows'], 'row')} with what looks like {what}"
            for code, what in personal.items()
            if code in found
        ],
    }


def _skipped(skips: Any) -> str | None:
    return f"Prompts without a pair, by reason: {_json(skips)}" if isinstance(skips, Mapping) and skips else None


def _problems(findings: Mapping[str, Mapping[str, Any]], allowed: Mapping[str, str]) -> Iterable[str]:
    found = [
        f"{code} ({one['severity']}): {plural(one['rows'], 'row') if one['rows'] else 'the set as a whole'}"
        for code, one in sorted(findings.items())
    ]
    return found + [f"{code} was allowed: {reason}" for code, reason in sorted(allowed.items())]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
