"""Writes vllm_interface.json: the signatures of vLLM that `pairforge/samplers/vllm.py` uses, read without running it.

pip download --no-deps vllm && python tests/samplers/record_vllm.py vllm-*.whl
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

CALLED = {
    "LLM": ("vllm/entrypoints/llm.py", "__init__"),
    "LLM.enqueue": ("vllm/entrypoints/llm.py", "enqueue"),
    "LLMEngine.step": ("vllm/v1/engine/llm_engine.py", "step"),
    "LLMEngine.abort_request": ("vllm/v1/engine/llm_engine.py", "abort_request"),
    "RequestOutput": ("vllm/outputs.py", "__init__"),
}
FIELDS = {
    "EngineArgs": "vllm/engine/arg_utils.py",
    "SamplingParams": "vllm/sampling_params.py",
    "LoRARequest": "vllm/lora/request.py",
    "CompletionOutput": "vllm/outputs.py",
    "TokensPrompt": "vllm/inputs/llm.py",
}
ENVIRONMENT = "vllm/envs.py"


def classes(source: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}


def parameters(function: ast.FunctionDef) -> dict[str, Any]:
    given, defaults = [one.arg for one in function.args.args][1:], len(function.args.defaults)
    optional = [
        one.arg for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if value
    ]
    return {
        "required": given[: len(given) - defaults],
        "optional": given[len(given) - defaults :],
        "keywords": [one.arg for one in function.args.kwonlyargs],
        "required_keywords": [one.arg for one in function.args.kwonlyargs if one.arg not in optional],
        "more": function.args.kwarg is not None,
    }


def interface(wheel: Path) -> dict[str, Any]:
    with ZipFile(wheel) as file:
        source = {path: file.read(path).decode() for path in {path for path, _ in CALLED.values()} | {*FIELDS.values()}}
        names = ast.parse(file.read(ENVIRONMENT).decode())
    found: dict[str, Any] = {"version": wheel.name.split("-")[1], "called": {}, "fields": {}}
    for name, (path, method) in CALLED.items():
        body = classes(source[path])[name.partition(".")[0]].body
        found["called"][name] = next(
            parameters(one) for one in body if isinstance(one, ast.FunctionDef) and one.name == method
        )
    for name, path in FIELDS.items():
        body = classes(source[path])[name].body
        found["fields"][name] = [ast.unparse(one.target) for one in body if isinstance(one, ast.AnnAssign)]
    strings = {node.value for node in ast.walk(names) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found["environment"] = sorted(
        one
        for one in strings
        if one.startswith(("VLLM_LOGGING", "VLLM_NO_USAGE", "VLLM_ENABLE_V1_MULTI")) and one.isupper()
    )
    return found


if __name__ == "__main__":
    target = Path(__file__).with_name("vllm_interface.json")
    target.write_text(json.dumps(interface(Path(sys.argv[1])), indent=1) + "\n")
