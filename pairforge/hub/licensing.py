"""The licence of a data set, derived from those of its prompts and of the models that wrote the answers.

What is derived is a proposal: the card says from what. Where a part is not known, or has conditions of its own, nothing
is derived.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..prompts import BUNDLED
from ..resources import patterns

_OURS = "apache-2.0"
"""Of the bundled prompts and the bundled model."""


def licenses(prompts: str | None, models: Iterable[str], named: str | None = None) -> dict[str, str | None]:
    """Return the licences of the prompts, of the models, and of the set, where they are known.

    Args:
        prompts: The source of the prompts, as the settings of a run have it.
        models: The models as they were loaded: a name, a folder, or a Hub id of which a card is in the cache.
        named: The licence that the user gives the set.
    """
    of_prompts = _OURS if prompts in BUNDLED else None
    found = {_of_model(model) for model in models}
    of_models = _strictest(found)
    return {"prompts": of_prompts, "models": of_models, "set": named or _strictest({of_prompts, of_models})}


def _strictest(parts: set[str | None]) -> str | None:
    """Return the licence under which parts can be passed on together; None where that isn't known."""
    if len(parts) == 1:
        (only,) = parts
        return only
    order, kept = patterns("licenses")["permissive"], patterns("licenses")["kept"]
    strict = [one for one in parts if one in kept]
    if len(strict) > 1 or not parts or any(one not in (*order, *kept) for one in parts):
        return None
    return strict[0] if strict else max((one for one in parts if one), key=order.index)


def _of_model(model: str) -> str | None:
    """Return the licence that the card of a model names, if there is one on this disk."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if model == "pocket":
        return _OURS
    card = Path(model) / "README.md"
    if not card.is_file():
        try:
            cached: Any = try_to_load_from_cache(model, "README.md")
        except HFValidationError:
            return None
        if not isinstance(cached, str):
            return None
        card = Path(cached)
    return _named_in(card)


def _named_in(card: Path) -> str | None:
    import yaml
    from huggingface_hub import RepoCard

    try:
        text = card.read_text("utf-8")
        data: Any = RepoCard(text, ignore_metadata_errors=True).data if text.startswith("---") else None
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError):
        return None
    named = getattr(data, "license", None)
    return named if named in patterns("licenses")["hub"] and named not in ("other", "unknown") else None
