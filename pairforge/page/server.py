"""The server of the page: static files, a JSON API, and who may ask."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..console import note
from ..errors import InputError, PairforgeError
from ..options.viewing import PageOptions
from ..text import error_line

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Handler: TypeAlias = Callable[[Mapping[str, str], Mapping[str, Any]], Any]
"""Answers a request, given its query with the parts of its path, and its body; what it returns is sent as JSON."""

STATIC = Path(__file__).parent / "static"
PORT = 8737
_FILES = {"/": "index.html", "/style.css": "style.css", "/page.js": "page.js", "/icon.svg": "icon.svg"}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_BODY = 1 << 20  # bytes that a request may bring
_ALL = ("0.0.0.0", "::")
_TRIED = 20  # ports, the wanted one first
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MISSING = 'pip install "pairforge[page]"'


class ConflictError(PairforgeError):
    """What is asked for is against what is stored."""


class NotReadyError(PairforgeError):
    """What is asked for can be answered in a moment."""


class MissingError(PairforgeError):
    """There is nothing of this name."""


@dataclass(frozen=True)
class Access:
    """Who may ask: the names by which the server may be called, and the token that is needed, if any."""

    hosts: frozenset[str]
    token: str = ""

    @classmethod
    def of(cls, host: str, port: int, token: str = "") -> Access:
        """Return who may ask a server on this address. One that others can reach always needs a token."""
        if is_loopback(host):
            names = {"127.0.0.1", "localhost", "[::1]"}
        else:
            names = {_bracketed(host)} if host not in _ALL else set()
            token = token or secrets.token_urlsafe(24)
        return cls(frozenset(f"{name}:{port}" for name in names), token)

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """Return with what status and why a request is refused; None where it isn't."""
        host = request.headers.get("host", "").lower()
        if self.hosts and host not in self.hosts:
            return 421, "this server is not called so"
        if request.method not in ("GET", "HEAD"):
            if request.headers.get("origin", f"http://{host}").lower() != f"http://{host}":
                return 403, "another page may not write here"
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return 415, "what is sent must be application/json"
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and (
            request.method != "GET" or request.url.path.startswith("/api/")
        ):
            return 403, "another page may not ask here"
        if self.token and request.url.path.startswith("/api/"):
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return 401, "the token is missing or wrong: open the address that the command printed"
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def require() -> None:
    """Raise InputError where the packages of the page are not installed."""
    if missing := next((name for name in ("starlette", "uvicorn") if not find_spec(name)), None):
        raise InputError(f"the page needs the package {missing}", fix=MISSING)


def application(access: Access, routes: Mapping[tuple[str, str], Handler]) -> _Guard:
    """Return the application that serves the page and answers requests by (method, path)."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    made = [Route(path, partial(_static, name)) for path, name in _FILES.items()]
    made += [Route(path, _answering(handler), methods=[method]) for (method, path), handler in routes.items()]

    async def refused(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _json({"error": _REFUSED.get(status, str(error))}, status)

    return _Guard(Starlette(routes=made, exception_handlers={HTTPException: refused}), access)


_REFUSED = {404: "there is nothing here", 405: "this can't be done here"}


class _Guard:
    """Refuses who may not ask, and sends the headers of security with every answer."""

    def __init__(self, app: Callable[..., Awaitable[None]], access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if refusal := self.access.refusal(Request(scope)):
            await _json({"error": refusal[1]}, refusal[0])(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)


def _json(value: Any, status: int = 200) -> Response:
    from starlette.responses import Response

    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # what a file of a run holds may be NaN, which is no JSON
        text = json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None), ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


async def _static(name: str, _: Request) -> Response:
    from starlette.responses import Response

    file = STATIC / name
    return Response(file.read_bytes(), media_type=_TYPES[file.suffix])


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a handler, which is run in a thread."""
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        asked = {**request.query_params, **{name: str(value) for name, value in request.path_params.items()}}
        try:
            body = await _body(request) if request.method == "POST" else {}
            return _json(await run_in_threadpool(handler, asked, body))
        except PairforgeError as error:
            status = {ConflictError: 409, MissingError: 404, InputError: 400, NotReadyError: 503}.get(type(error), 500)
            return _json({"error": error.message, "fix": error.fix}, status)
        except Exception as error:  # noqa: BLE001 (whoever asks learns that, and nothing of the inside)
            note(f"the page: {error_line(error)}")
            return _json({"error": "the server failed; the terminal says why"}, 500)

    return endpoint


async def _body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object that a request brings. Raises InputError for anything else."""
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > _BODY:
            raise InputError(f"a request may bring {_BODY} bytes")
    try:
        value = json.loads(held)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError("what is sent is not a JSON object")
    return value


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on the port, or where none is named, on the first free one from `PORT` on.

    Raises InputError where that is not possible.
    """
    error: OSError | None = None
    for tried in [port] if port else range(PORT, PORT + _TRIED):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            made = socket.socket(family)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, tried))
            made.listen(128)
            return made
        except (OSError, OverflowError) as caught:
            made.close()
            error = caught if isinstance(caught, OSError) else OSError(str(caught))
    where = f"port {port}" if port else f"the ports {PORT} to {PORT + _TRIED - 1}"
    fix = "name another one: --port N" if is_loopback(host) else "is --host an address of this machine?"
    raise InputError(f"can't listen on {where} of {host}: {error and error.strerror}", fix=fix) from error


def run(options: PageOptions, routes: Mapping[tuple[str, str], Handler]) -> None:
    """Serve the page until Ctrl-C, and say where it is. Raises InputError where it can't be served there."""
    token = ""
    if options.token_env and not (token := os.environ.get(options.token_env, "")):
        raise InputError(f"--token-env {options.token_env} is not set", fix=f"export {options.token_env}=TEXT")
    with closing(listen(options.host, options.port)) as sock:
        access = Access.of(options.host, sock.getsockname()[1], token)

        def ready(address: str) -> None:
            note(f"the page is at {address} (Ctrl-C ends)")
            if options.open:
                webbrowser.open(address)

        serve(sock, access, routes, ready)


def serve(
    sock: socket.socket, access: Access, routes: Mapping[tuple[str, str], Handler], ready: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C, or until the process is told to end; `ready` is called with the address to open."""
    import uvicorn

    config = uvicorn.Config(
        application(access, routes), log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
        timeout_graceful_shutdown=2, h11_max_incomplete_event_size=1 << 14, limit_concurrency=200,
    )  # fmt: skip
    server = uvicorn.Server(config)
    stopped = list[int]()
    if threading.current_thread() is threading.main_thread():
        server.capture_signals = lambda: _signals(server, stopped)  # type: ignore[method-assign]
    ready(address(sock, access))
    server.run(sockets=[sock])
    if signal.SIGTERM in stopped:
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def _signals(server: Any, stopped: list[int]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the server in the block; uvicorn itself would raise them again behind it."""

    def end(number: int, frame: Any) -> None:
        stopped.append(number)
        server.handle_exit(number, frame)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def address(sock: socket.socket, access: Access) -> str:
    """Return the address of the page, as others find it, with the token where one is needed."""
    host, port = sock.getsockname()[:2]
    host = socket.gethostname() if host in _ALL else host
    return f"http://{_bracketed(host)}:{port}/{access.token and f'?token={access.token}'}"
