"""Making pairs again: which words of a stranger's command are taken, and what is said of the pairs that come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pairforge
from pairforge import InputError
from pairforge.api.reproduce import Recipe
from pairforge.hub.manifest import FILE
from pairforge.run import Run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(**more: Any) -> Run:
    return pairforge.correct("Qwen", "Deep Qwen", limit=2, quiet=True, **more).run


def recipe(*words: str, **more: Any) -> Recipe:
    return Recipe("x", ("pairforge", *words), {}, {}, "", **more)


@pytest.mark.slow
def test_the_same_command_gives_the_same_pairs() -> None:
    run = made(system="Be kind.")
    printed = pairforge.reproduce(run.path.name)
    assert str(printed.command) == "pairforge correct --system 'Be kind.' --limit 2 --from Qwen --to 'Deep Qwen'"
    assert (printed.ok, printed.made) == (True, None)
    again = pairforge.reproduce("latest", run=True, quiet=True)
    assert again.ok
    assert again.made
    assert again.made.run.path.parent.name == "reproduced"
    assert again.made.run.pairs.read_bytes() == run.pairs.read_bytes()


@pytest.mark.slow
def test_other_pairs_are_told_with_what_is_known_of_why() -> None:
    run = made()
    other = pairforge.reproduce(str(run.path), run=True, quiet=True, set=["seed=3", "temperature=1"])
    assert (other.ok, other.exit_code) == (False, 1)
    assert other.reasons[:2] == ["sampling.temperature: 0.0 -> 1.0", "sampling.seed: none -> 3"]
    assert other.as_json()["same"] is False


def test_a_pulled_run_is_made_again_as_its_manifest_says() -> None:
    file = {"path": "data/train-00000-of-00001.parquet", "rows": 1, "bytes": 1, "sha256": "0" * 64}
    config: dict[str, Any] = {"kind": "pairs", "rows": 1, "digest": "1" * 64, "settings": {"model": "org/model"}}
    config |= {"splits": {"train": {"rows": 1, "files": [file]}}, "models": [{"name": "org/model", "revision": "abc"}]}
    config |= {"argv": ["pairforge", "correct", "-m", "org/model", "--from", "Qwen", "--to", "Athene", "-o", "/etc"]}
    manifest = {"pairforge": "0.0.9", "version": 1, "default": "correction", "configs": {"correction": config}}
    run = Run(Path("pairforge-out/correct-0123456789"), "correct", {"model": "", "pulled": {"config": "correction"}})
    run.finish([], [], {"prompts": 1, "pairs": 1, "skips": {}})
    (run.path / FILE).write_text(json.dumps(manifest))
    done = pairforge.reproduce("correct-0123456789")
    assert str(done.command) == "pairforge correct --revision abc --model org/model --from Qwen --to Athene"
    assert (done.recipe.digest, done.recipe.version) == ("1" * 64, "0.0.9")


OUTSIDE = [
    ["--judge", "notes.py:f"],
    ["--judge=os:system"],
    ["--prompts", "/etc/passwd"],
    ["-p", "-"],
    ["-m", "./model"],
    ["-m", "model"],
    ["--rules", "rules.txt"],
    ["--base-url", "http://evil.example/v1"],
    ["--api-key-env", "AWS_SECRET_ACCESS_KEY"],
    ["--provider", "auto"],
    ["--replay", "../x"],
    ["--adapter", "evil/adapter"],
    ["--chat-template", "x.jinja"],
    ["--allow-pickle"],
]


@pytest.mark.parametrize("words", OUTSIDE, ids=lambda words: words[0])
def test_code_files_and_servers_are_used_only_where_the_user_names_them(words: list[str]) -> None:
    verb = "onpolicy" if words[0].startswith("--judge") else "correct"
    command = recipe(verb, *words).command([])
    assert len(command.outside) == 1
    with pytest.raises(InputError, match=r"used only where you name it \(add --set "):
        command.run("x")


def test_what_the_user_names_is_taken() -> None:
    command = recipe("onpolicy", "--judge", "notes.py:f", "-m", "org/a", "--n", "8", "-p", "general.eval", "-q",
                     models=[{"name": "org/a", "revision": "abc"}])  # fmt: skip
    given = command.command([("judge", "mine.py:g")])
    assert given.outside == []
    assert given.arguments == {
        "judge": ["mine.py:g"],
        "model": "org/a",
        "n": 8,
        "prompts": "general.eval",
        "revision": "abc",
    }
    assert "revision" not in command.command([("judge", "mine.py:g"), ("model", "./mine")]).arguments
    served = command.command([("judge", "reference"), ("base-url", "http://a"), ("base-url", "http://b")])
    assert served.arguments["base_url"] == ["http://a", "http://b"]
    with pytest.raises(InputError, match=r"--set juge: onpolicy has no such option \(did you mean 'judge'"):
        command.command([("juge", "x")])
    with pytest.raises(InputError, match="must be OPTION=VALUE"):
        pairforge.reproduce("org/set", set="judge")


@pytest.mark.parametrize("words", [(), ("push", "--public"), ("runs", "rm", "--yes"), ("correct; rm -rf /",)])
def test_a_command_that_makes_no_pairs(words: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="x: "):
        recipe(*words).command([])


def test_a_word_that_is_no_option() -> None:
    with pytest.raises(InputError, match="'--exec' is not an option"):
        recipe("correct", "--exec", "x").command([])
