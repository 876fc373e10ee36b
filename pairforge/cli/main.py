"""The group of all commands: how each prints its result, and how each ends."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from ..errors import RUN_AGAIN, InputError, OutsideError, PairforgeError, TerminatedExit, is_disk_full
from ..text import status_highlighter, visible
from .config import default_map
from .usage import Group, explained

# The spellings of TRL and LLaMA-Factory: accepted everywhere, shown nowhere.
_ALIASES = {"model-name-or-path": "model", "dataset-name": "prompts", "output-dir": "output", "max-samples": "limit"}
_GRACE = 15.0  # seconds that a stopped command has to tidy up
_STOPPED = "interrupted; the same command goes on where this one stopped"


class Main(Group):
    """Ends each command with its exit code and at most two lines; an unknown error keeps its traceback."""

    def main(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        signal.signal(signal.SIGTERM, _terminated)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupted)
        if os.environ.get("COLUMNS", "").strip("0") == "":  # rich would print nothing at a width of 0
            os.environ.pop("COLUMNS", None)
        if sys.stdout is None:  # closed by whoever started this
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        given = sys.argv[1:] if args is None else args
        as_json = "--json" in given
        try:
            code = super().main([*map(_expanded, map(_utf8, given))], standalone_mode=False, **kwargs)
            sys.exit(code if isinstance(code, int) else 0)
        except click.ClickException as error:
            if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.1 lacks it
                error.show()
                sys.exit(error.exit_code)
            sys.exit(print_error(explained(error, given), as_json))
        except PairforgeError as error:
            sys.exit(print_error(error, as_json))
        except OSError as error:
            if not is_disk_full(error):
                raise
            _drop_output()
            what = f"disk full, of standard output or of a cache: {error}"
            sys.exit(print_error(OutsideError(what, fix=RUN_AGAIN)))
        except (KeyboardInterrupt, click.Abort):
            click.echo(f"\npairforge: {_STOPPED}", err=True)
            if as_json:
                print_json({"ok": False, "error": _STOPPED, "fix": None, "exit_code": 130})
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            # Python ends by the signal itself, not by 130, where the interrupt passed through an extension's import.
            os._exit(130)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _closed_pipe():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _closed_pipe():
            command = ctx._protected_args if hasattr(ctx, "_protected_args") else ctx.protected_args  # of click 8.1
            words = [*command, *ctx.args]
            # Help is there also where the file can't be used.
            if not {"-h", "--help"} & {*words} and words[:1] not in (["help"], ["version"]):
                ctx.default_map = default_map(self)
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


def print_error(error: PairforgeError, as_json: bool = False) -> int:
    """Say what is wrong and what fixes it, on stderr and, where it was asked for, as JSON on stdout."""
    if as_json:
        print_json({"ok": False, "error": error.message, "fix": error.fix, "exit_code": error.exit_code})
    # As for texts of rich: NO_COLOR, which click doesn't know.
    color = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style('pairforge:', fg='red', bold=True)} {visible(error.message)}", err=True, color=color)
    if error.fix:
        click.echo(f"  -> {visible(error.fix)}", err=True)
    return error.exit_code


def print_json(value: Any) -> None:
    with _closed_pipe():
        click.echo(json.dumps(value, ensure_ascii=False))
        sys.stdout.flush()


def _utf8(argument: str) -> str:
    """Decode an argument as UTF-8 in every locale: in an ASCII one, Python passes on the bytes of other characters."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise InputError(f"an argument is not UTF-8: {visible(argument)}", fix="use a terminal in UTF-8") from None


def _expanded(argument: str) -> str:
    """Return an argument with the home folder for ~, which a shell leaves in quotes and after `--option=`."""
    flag, path = found.groups() if (found := re.fullmatch(r"(--[\w-]+=)?(~/\S*)", argument)) else ("", "")
    return (flag or "") + os.path.expanduser(path) if path else argument


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
    raise TerminatedExit(143)


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
        "token_normalize_func": lambda name: _ALIASES.get(name.replace("_", "-"), name),
    },
)
@click.version_option(None, "-V", "--version", package_name="pairforge")
def main() -> None:
    """Make preference pairs from a model's own answers, check them, publish them, train, and measure."""


@main.command("help", hidden=True)
@click.argument("command", nargs=-1)
def help_(command: Sequence[str]) -> None:
    """Show the help of a command."""
    main.main([*command, "--help"], prog_name=click.get_current_context().find_root().info_name)


@main.command(hidden=True)
def version() -> None:
    """Show the version."""
    main.main(["--version"], prog_name=click.get_current_context().find_root().info_name)


def exit_code(result: Any) -> int:
    """Return with what code a command ends."""
    return 0 if result.ok else int(getattr(result, "exit_code", 1))


def finish(result: Any, as_json: bool, brief: bool = False) -> int:
    """Print a result, as JSON or for a reader, and return its exit code.

    With `brief`, print only what the result calls so, or the path of its `output`, or else its last line.
    """
    if as_json:
        print_json(result.as_json())
    elif hasattr(result, "lines"):  # data, one row a line, as it comes
        for line in result.lines():
            click.echo(line)
    else:
        _print(result, brief)
    return exit_code(result)


def _print(result: Any, brief: bool) -> None:
    from rich.console import Console

    highlight: Any = status_highlighter()
    terminal = sys.stdout.isatty()
    console = Console(highlighter=highlight, markup=False, soft_wrap=not terminal)
    with console.capture() as capture:
        console.print(result)
    # Tables are padded to the width of the terminal, and begin and end with an empty line.
    lines = [line if terminal else line.rstrip() for line in capture.get().split("\n")]
    text = "\n".join(lines).strip("\n")
    if brief:
        written = getattr(result, "output", None)
        said = getattr(result, "brief", visible(str(written)) if isinstance(written, Path) else None)
        *_, before, last = ["", "", *filter(str.strip, lines)]
        last = f"{before}\n{last}" if last.startswith("  -> ") else last
        if said is not None and exit_code(result):  # why it failed is not lost
            click.echo(last, err=True)
        text = last if said is None else said
    if text:
        click.echo(text, color=True)


def quiet_libraries(verbose: bool) -> None:
    """Keep the libraries' own progress bars and notes out of ours, unless asked for."""
    if not verbose:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # it warns of each of five attempts to reach the Hub
