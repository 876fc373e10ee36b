"""The licence of a set: derived where its parts are known and go together, else unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairforge.hub.licensing import licenses


def model(folder: Path, header: str) -> str:
    folder.mkdir()
    (folder / "README.md").write_text(header)
    return str(folder)


def test_bundled_prompts_and_the_bundled_model_are_known() -> None:
    known = {"prompts": "apache-2.0", "models": "apache-2.0", "set": "apache-2.0"}
    assert licenses("identity.train", ["pocket"]) == known
    assert licenses("identity.train", ["pocket"], "mit") == known | {"set": "mit"}
    assert licenses("mine.jsonl", ["pocket"]) == known | {"prompts": None, "set": None}
    assert licenses("identity.train", ["org/nowhere"]) == known | {"models": None, "set": None}
    assert licenses(None, []) == {"prompts": None, "models": None, "set": None}


@pytest.mark.parametrize(
    ("named", "of_set"),
    [
        ("mit", "apache-2.0"),
        ("cc-by-4.0", "cc-by-4.0"),
        ("cc-by-nc-4.0", "cc-by-nc-4.0"),
        ("llama3.1", None),
        ("other", None),
        ("unknown", None),
        ("[mit, gpl]", None),
        ("my own", None),
    ],
)
def test_the_card_of_a_model_names_its_licence(tmp_path: Path, named: str, of_set: str | None) -> None:
    mine = model(tmp_path / "m", f"---\nlicense: {named}\n---\n# M\n")
    assert licenses("identity.train", [mine])["set"] == of_set
    assert licenses("identity.train", [mine, "pocket"])["set"] == of_set


def test_two_that_keep_their_own_do_not_go_together(tmp_path: Path) -> None:
    both = [model(tmp_path / name, f"---\nlicense: {name}\n---\n") for name in ("cc-by-sa-4.0", "cc-by-nc-4.0")]
    assert licenses("identity.train", both)["set"] is None


@pytest.mark.parametrize("text", ["", "# M", "---\n: :\n - ][\n---\n", "---\n- a\n---\n", "---\nlicense: 3\n---\n"])
@pytest.mark.filterwarnings("default")
def test_a_card_that_names_none_is_unknown(tmp_path: Path, text: str) -> None:
    assert licenses("identity.train", [model(tmp_path / "m", text)])["models"] is None
    assert licenses("identity.train", ["../x/y/z", "a\nb"])["models"] is None
