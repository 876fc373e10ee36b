"""The house rules: who may import whom, what may be loaded when, how long things may get."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, fields
from graphlib import TopologicalSorter
from pathlib import Path

import click
import pytest

import pairforge
from pairforge.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    {"errors", "text"},
    {"types", "resources", "options", "statistics", "repetition"},
    {"thoughts"},
    {
        "conversation",
        "disk",
        "html",
        "markdown",
        "notebook",
        "processes",
        "readers",
        "refusals",
        "svg",
    },
    {"storage", "store", "stopping", "tokenization", "pairers", "chat_text", "learning_curves"},
    {"formats"},
    {"run", "plugins", "prompts", "rename", "console", "samplers", "checks"},
    {"judges"},
    {"stages", "shards"},
    {"executors", "shard_worker"},
    {"jury", "diagnostics", "correction", "evaluation", "hub", "pair_view", "token_view"},
    {"reporting", "page"},
    {"api"},
    {"cli", "__main__", "__init__"},
)
FOR_TRAINERS = {
    "text",
    "markdown",
    "prompts",
    "learning_curves",
    "disk",
    "types",
    "errors",
    "resources",
    "statistics",
    "thoughts",
    "repetition",
    "run",
    "hub.model_upload",
    "hub.repository",
    "evaluation.hints",
    "evaluation.suites",
    "evaluation.training_facts",
    "api.evaluate",
    "api.inputs",
    "api.models",
    "api.onpolicy",
    "readers",
    "samplers.chat_template",
    "samplers.gguf_models",
    "samplers.hardware",
    "samplers.model_loading",
    "samplers.model_names",
}
"""The modules of which `trainers` may import more than pairforge's public names."""
CROSS_CUTTING = {
    "bootstrap",
    "browser",
    "examples",
    "faults",
    "fuzz",
    "house",
    "kills",
    "offline",
    "packaging",
    "readme",
    "real_model",
    "wrong_inputs",
    "wrong_pair_files",
}
"""The tests of no single module; those of data/ and docs/ are named `data_*` and `docs_*`."""
HEAVY = {"torch", "transformers", "datasets", "trl", "huggingface_hub", "pyarrow", "jsonschema", "matplotlib", "numpy"}


def files(top: str) -> list[Path]:
    return sorted((ROOT / top).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """The dotted names a file imports, relative ones made absolute: `pairforge.types.Pair`."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield from (".".join((*base, *filter(None, [node.module]), alias.name)) for alias in node.names)


def unit(dotted: str) -> str:
    """Which file or folder of pairforge a dotted name lies in; a public name lies in `__init__`."""
    name = dotted.partition("pairforge.")[2].split(".")[0]
    return name if any(name in layer for layer in LAYERS) else "__init__"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pairforge").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_go_down_only(path: Path) -> None:
    own = path.relative_to(ROOT / "pairforge").parts[0].removesuffix(".py")
    level = next(number for number, layer in enumerate(LAYERS) if own in layer)
    below = set[str]().union(*LAYERS[:level])
    if own in ("cli", "__main__"):
        below = {"api", "errors", "types", "text", "options", "cli", "__init__"}
    names = list(imported(path))
    assert {unit(name) for name in names if name.split(".")[0] == "pairforge"} <= below | {own}
    assert not [name for name in names if name.split(".")[0] == "trainers"]


@pytest.mark.parametrize("path", files("trainers"), ids=place)
def test_trainers_import_public_names_and_small_modules_only(path: Path) -> None:
    names = {name.removeprefix("pairforge.") for name in imported(path) if name.startswith("pairforge.")}
    assert {name for name in names if name.rpartition(".")[0] not in FOR_TRAINERS} <= set(pairforge.__all__)


def test_start_is_light() -> None:
    helps = [["--help"], *([*words.split(), "--help"] for words in COMMANDS)]
    code = f"""
import contextlib, io, json, sys
from pairforge.cli import main
for words in {helps!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(words)
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "click" in loaded
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize("words", COMMANDS)
def test_options_are_the_keywords_of_the_function(words: str) -> None:
    function, kind = COMMANDS[words]
    assert inspect.signature(getattr(pairforge, function)) == inspect.signature(kind)
    command = main
    for word in words.split():
        command = command.commands[word]  # type: ignore[attr-defined, assignment]
    options = {option.name: option for option in command.params if option.name not in ("as_json", "verbose")}
    assert {*options} == {*inspect.signature(kind).parameters}
    for one in fields(kind):
        given = options[one.name].get_default(click.Context(command))
        assert given == one.default or one.default in (None, (), MISSING), one.name
        assert one.metadata["help"], one.name


def test_every_verb_is_a_command() -> None:
    others = {"default_run", "difficulty", "latest_run", "model_source", "pairs_file", "read_pairs", "repeats"}
    others |= {"train"}  # pairforge train dpo, whose flags are TRL's
    verbs = {name for name in pairforge.__all__ if inspect.isfunction(getattr(pairforge, name))}
    assert verbs - others == {function for function, _ in COMMANDS.values()}


def test_exports_exist() -> None:
    assert sorted(set(pairforge.__all__)) == sorted(pairforge.__all__), "each once"
    assert all(getattr(pairforge, name, None) is not None for name in pairforge.__all__)
    with pytest.raises(AttributeError):
        pairforge.nonesuch  # noqa: B018


def test_files_and_functions_stay_short() -> None:
    sources = [ROOT / "bootstrap.py", *files("pairforge"), *files("trainers"), *files("data")]
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in sources}
    assert not {path: length for path, length in lengths.items() if length > 600}
    bodies = {
        f"{place(path)}:{node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {where: length for where, length in bodies.items() if length > 60}


def test_one_name_means_one_thing() -> None:
    sources = [*files("pairforge"), *files("trainers")]
    stems = Counter(path.stem for path in sources if path.stem != "__init__")
    classes = Counter(
        node.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert not {name: count for name, count in (stems + classes).items() if count > 1}


def test_tests_mirror_the_package() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.stem.removeprefix("test_")
        if name not in CROSS_CUTTING and not name.startswith(("data_", "docs_")):
            folder = path.parent.relative_to(ROOT / "tests")
            module = (ROOT if folder.parts[:1] == ("trainers",) else ROOT / "pairforge") / folder / name
            assert module.with_suffix(".py").is_file() or module.is_dir(), f"{place(path)} is the test of no module"


def test_no_import_circle() -> None:
    sources = [*files("pairforge"), *files("trainers")]
    modules = {place(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in sources}
    graph = {
        name: {other if other in modules else other.rpartition(".")[0] for other in imported(path)} & set(modules)
        for name, path in modules.items()
    }
    for name in ("pairforge", "trainers.guard"):  # they import when asked, or for others
        graph[name] = set()
    TopologicalSorter(graph).prepare()  # raises CycleError
