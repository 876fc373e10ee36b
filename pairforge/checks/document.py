"""docs/checks.md, written from the rules: python -m pairforge.checks.document > docs/checks.md"""

from __future__ import annotations

from . import RULES

_FAMILIES = {
    "PF0": "PF0xx: is it a row of the right shape",
    "PF1": "PF1xx: is it a preference",
    "PF2": "PF2xx: do the rows make a set",
    "PF3": "PF3xx: what tells chosen from rejected most cheaply",
    "PF4": "PF4xx: what will the trainer see",
}
_HEAD = """\
# The checks

`pairforge validate` looks for PF0xx to PF2xx, with `--model` for PF4xx; `pairforge shortcuts` for PF3xx, and `validate`
only with `--select PF3`, as warnings. Errors end with exit code 1, warnings only with `--strict`, infos never.
`--select` and `--ignore` take codes and their beginnings (`PF1`). Written from the checks themselves:
`python -m pairforge.checks.document > docs/checks.md`.
"""


def document() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for prefix, title in _FAMILIES.items():
        parts.append(f"\n## {title}\n")
        parts += [_section(code) for code in sorted(RULES) if code.startswith(prefix)]
    return "".join(parts)


def _section(code: str) -> str:
    one = RULES[code]
    name = one.see.__name__.strip("_").replace("_", " ")
    mend = f"\nTo mend it: `{one.mend.format(data='PAIRS')}`\n" if one.mend else ""
    return f"\n### {code} {name} ({one.severity})\n\n{one.why}\n{mend}"


if __name__ == "__main__":
    print(document(), end="")
