"""docs/checks.md, written from the rules: python -m pairforge.checks.document > docs/checks.md"""

from __future__ import annotations

from . import RULES

_FAMILIES = {
    "PF0": "PF0xx: is it a row of the right shape",
    "PF1": "PF1xx: is it a preference",
    "PF2": "PF2xx: do the rows make a dataset",
    "PF3": "PF3xx: what distinguishes chosen from rejected most cheaply",
    "PF4": "PF4xx: what will the trainer see",
    "PF5": "PF5xx: may it be published",
    "PF6": "PF6xx: answers with a label",
}
_HEAD = """\
# The checks

`pairforge validate` looks for PF0xx to PF2xx, with `--model` for PF4xx; `pairforge shortcuts` for PF3xx, and `validate`
only with `--select PF3`, as warnings; `pairforge push` for PF5xx, and `validate` only with `--select PF5`. Errors end
with exit code 1, warnings only with `--strict`, infos never. `--select` and `--ignore` take codes and their beginnings
(`PF1`). This page is written from the checks themselves: `python -m pairforge.checks.document > docs/checks.md`.
"""


def document() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD]
    for prefix, title in _FAMILIES.items():
        parts.append(f"\n## {title}\n")
        for code, one in sorted(RULES.items()):
            if code.startswith(prefix):
                name = one.see.__name__.replace("_", " ")
                fix = f"\nTo fix it: `{one.fix.format(data='PAIRS')}`\n" if one.fix else ""
                parts.append(f"\n### {code} {name} ({one.severity})\n\n{one.why}\n{fix}")
    return "".join(parts)


if __name__ == "__main__":
    print(document(), end="")
