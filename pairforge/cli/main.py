"""The group of all commands: how each prints its result, and how each ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ..errors import PairforgeError
from ..text import visible

# The spellings of TRL and LLaMA-Factory: accepted everywhere, shown nowhere.
_ALIASES = {"model_name_or_path": "model", "dataset_name": "prompts", "output_dir": "output", "max_samples": "limit"}
_GRACE = 15.0  # seconds that a stopped command has to tidy up


class Main(click.Group):
    """Ends each command with its exit code and at most one line; an unknown error keeps its traceback."""

    def main(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        signal.signal(signal.SIGTERM, _terminated)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupted)
        if sys.stdout is None:  # closed by whoever started this
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        try:
            code = super().main([*map(_utf8, sys.argv[1:] if args is None else args)], standalone_mode=False, **kwargs)
            sys.exit(code if isinstance(code, int) else 0)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except PairforgeError as error:
            click.echo(f"pairforge: {visible(error.message)}", err=True)
            if error.fix:
                click.echo(f"  -> {visible(error.fix)}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            _drop_output()
            click.echo(f"pairforge: disk full, of standard output or of a cache: {visible(str(error))}", err=True)
            click.echo("  -> free some space and run the same command again: it goes on", err=True)
            sys.exit(4)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\npairforge: interrupted; the same command goes on where this one stopped", err=True)
            sys.stdout.flush()
            sys.stderr.flush()
            # Python ends by the signal itself, not by 130, where the interrupt passed through an extension's import.
            os._exit(130)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _closed_pipe():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _closed_pipe():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


def _utf8(argument: str) -> str:
    """Decode an argument as UTF-8 in every locale: in an ASCII one, Python passes on the bytes of other characters."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise click.UsageError(f"an argument is not UTF-8: {visible(argument)}") from None


@contextmanager
def _closed_pipe() -> Iterator[None]:
    """End quietly where the reader of stdout has gone (`| head`), before click makes it an error."""
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        sys.exit(141)


def _drop_output() -> None:
    """Discard what is left to be written: the interpreter would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminated(number: int, frame: Any) -> None:
    # Not click.echo: it may be what was interrupted.
    os.write(2, b"pairforge: terminated; the same command goes on where this one stopped\n")
    _end_soon(143)
    sys.exit(143)


def _interrupted(number: int, frame: Any) -> None:
    _end_soon(130)
    raise KeyboardInterrupt


def _end_soon(code: int) -> None:
    """End this process even where a thread or connection would not: what is stored is whole at any moment."""
    timer = threading.Timer(_GRACE, os._exit, (code,))
    timer.daemon = True
    timer.start()


@click.group(
    cls=Main,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: _ALIASES.get(name, name),
    },
)
@click.version_option(package_name="pairforge")
def main() -> None:
    """Make preference pairs from a model's own answers, check them, publish them, train, and measure."""


def finish(result: Any, as_json: bool) -> int:
    """Print a result, as JSON or for a reader; return its exit code."""
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False))
    elif hasattr(result, "lines"):  # data, one row a line, as it comes
        for line in result.lines():
            click.echo(line)
    else:
        from rich.console import Console

        console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
        with console.capture() as capture:
            console.print(result)
        click.echo(capture.get(), nl=False, color=True)
    return 0 if result.ok else int(getattr(result, "exit_code", 1))


def quiet_libraries(verbose: bool) -> None:
    """Keep the libraries' own progress bars and notes out of ours, unless asked for."""
    if not verbose:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
