"""The options of every command that asks models: which model or server, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .declaration import option, options


@options
class DecodingOptions:
    heading: ClassVar = "Decoding"
    max_new_tokens: int = option("An answer is cut after this many tokens.", default=256)
    top_p: float = option(
        "Nucleus sampling draws from the likeliest tokens with this total probability; 1 draws from all tokens.",
        default=1.0,
    )
    top_k: int = option("Tokens are drawn from this many of the likeliest ones; 0 draws from all.", default=0)
    min_p: float = option("Tokens below this share of the likeliest one's probability are left out.", default=0.0)
    stop: str | Sequence[str] = option("An answer ends before this text.", default=(), metavar="TEXT")
    seed: int = option("The random seed of the samples.", default=0)


@options
class ServerOptions:
    heading: ClassVar = "Server"
    base_url: str | Sequence[str] = option(
        "Ask this OpenAI-compatible server, e.g. http://localhost:8000/v1; several share the work.",
        default=(),
        metavar="URL",
    )
    provider: str | None = option(
        "Ask this inference provider of Hugging Face, e.g. together, or auto.", default=None, metavar="NAME"
    )
    served_as: str | None = option(
        "Keep the answers of a server under this name in place of its URL, so that they are found on another host.",
        default=None,
        metavar="NAME",
    )
    one_request: bool = option(
        "Ask a server for all answers to a prompt in one request (`n`), so that the prompt is paid for once.",
        default=False,
    )
    api_key_env: str | None = option(
        "This environment variable holds the server's key, e.g. OPENAI_API_KEY.", default=None, metavar="VARIABLE"
    )
    concurrency: int = option("At most N requests are sent at once.", default=32, metavar="N")
    timeout: float = option("A request is given up after this many seconds.", default=120.0, metavar="SECONDS")
    price: str | None = option(
        "What a million tokens cost, input and output, e.g. 0.15/0.60: progress then says what was spent.",
        default=None,
        metavar="IN/OUT",
    )
    replay: str | Sequence[str] = option(
        "Take the answers from a run, or from what `sample` wrote, and ask no model, e.g. --replay answers.jsonl.",
        default=(),
        metavar="RUN|FILE",
    )


@options
class LocalModelOptions:
    heading: ClassVar = "Model"
    revision: str | None = option("Use this branch, tag or commit of a Hub model.", default=None)
    adapter: str | None = option(
        "Apply this LoRA adapter to the model: a folder or a Hub id.", default=None, metavar="DIR"
    )
    chat_template: str | None = option(
        "Use this Jinja file in place of the model's own chat template.", default=None, metavar="FILE"
    )
    chat_template_kwargs: str | Mapping[str, Any] | None = option(
        "Pass these arguments to the chat template, e.g. enable_thinking=false.", default=None, metavar="JSON"
    )
    dtype: str = option(
        "Compute in this type; auto chooses by the hardware.",
        default="auto",
        choices=("auto", "bfloat16", "float16", "float32"),
    )
    device: str = option(
        "Run the model on this device: cpu, cuda, cuda:1 or mps; auto chooses by the hardware.", default="auto"
    )
    batch_size: int | None = option(
        "This many answers are generated in one batch.", default=None, type=int, at_least=1, shown="by memory"
    )
    allow_pickle: bool = option("Load a model that has only pickled weights, which can run code.", default=False)


@options
class BackendOptions:
    heading: ClassVar = "Model"
    backend: str = option(
        "Run a local model through this library; auto takes vLLM on a GPU where it is installed, else transformers.",
        default="auto",
        choices=("auto", "transformers", "vllm", "openvino"),
    )
    tensor_parallel: int = option("vLLM splits each layer over N GPUs.", default=1, at_least=1, metavar="N")


@options
class TemperatureOption:
    heading: ClassVar = "Decoding"
    temperature: float = option(
        "The sampling temperature; 0 takes the likeliest token each time (greedy).", default=0.0
    )


@options
class SourceOptions(LocalModelOptions, BackendOptions, DecodingOptions, ServerOptions):
    """The options of every command that asks models."""


@options
class SamplerOptions(TemperatureOption, SourceOptions):
    heading: ClassVar = "Model"
    model: str | None = option(
        "The model to ask: a Hub id, a folder, a GGUF file, pocket, or smollm2.",
        default=None,
        flags=("-m", "--model"),
        shown="pocket, the bundled toy model",
    )
