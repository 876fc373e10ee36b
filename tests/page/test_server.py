"""Who may ask the page: only its own origin, by its own name, with the token where one is needed."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from pairforge import InputError
from pairforge.page import server
from pairforge.page.server import Access, ConflictError, MissingError, application

PORT = 8737
HOME = f"http://127.0.0.1:{PORT}"
JSON = {"content-type": "application/json"}


def saved(_: Mapping[str, str], body: Mapping[str, Any]) -> Any:
    return {"got": dict(body)}


def raising(error: Exception) -> server.Handler:
    def handler(_: Mapping[str, str], __: Mapping[str, Any]) -> Any:
        raise error

    return handler


ROUTES: dict[tuple[str, str], server.Handler] = {
    ("GET", "/api/rows"): lambda asked, _: {"asked": dict(asked)},
    ("GET", "/api/rows/{row:int}"): lambda asked, _: {"row": asked["row"], "odd": float("nan")},
    ("POST", "/api/save"): saved,
    ("GET", "/api/wrong"): raising(InputError("wrong", fix="do so")),
    ("GET", "/api/conflict"): raising(ConflictError("there")),
    ("GET", "/api/missing"): raising(MissingError("nowhere")),
    ("GET", "/api/broken"): raising(RuntimeError("secret detail")),
}


def client(host: str = "127.0.0.1", token: str = "") -> TestClient:
    access = Access.of(host, PORT, token)
    return TestClient(application(access, ROUTES), base_url=f"http://{host}:{PORT}", raise_server_exceptions=False)


def test_the_files_of_the_page_are_served_and_no_others() -> None:
    asked = client()
    for path, kind in (("/", "text/html"), ("/style.css", "text/css"), ("/page.js", "text/javascript")):
        got = asked.get(path)
        assert got.status_code == 200 and got.headers["content-type"].startswith(kind) and got.text
    for path in ("/server.py", "/static/page.js", "/../server.py", "/%2e%2e/server.py", "/api", "//etc/passwd", "/x"):
        assert asked.get(path).status_code == 404, path


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/rows", "/api/nothing", "/api/broken", "/api/wrong"])
def test_every_answer_has_the_headers_of_security(path: str) -> None:
    got = client().get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in got["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in got["content-security-policy"] and "http" not in got["content-security-policy"]
    assert (got["x-content-type-options"], got["referrer-policy"]) == ("nosniff", "no-referrer")
    assert got["cache-control"] == "no-store" and "access-control-allow-origin" not in got
    assert got["cross-origin-opener-policy"] == got["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8737", ""])
def test_by_another_name_nothing_is_served(host: str) -> None:
    for path in ("/", "/api/rows"):
        assert client().get(path, headers={"host": host}).status_code in (400, 421)
    assert client().get("/api/rows", headers={"host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (JSON, 200),
        ({**JSON, "origin": HOME, "sec-fetch-site": "same-origin"}, 200),
        ({**JSON, "origin": "http://evil.example"}, 403),
        ({**JSON, "origin": "null"}, 403),
        ({**JSON, "origin": "http://localhost:8737"}, 403),
        ({**JSON, "origin": HOME, "sec-fetch-site": "cross-site"}, 403),
        ({**JSON, "sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
    ],
    ids=str,
)
def test_only_the_page_itself_writes(headers: dict[str, str], status: int) -> None:
    assert client().post("/api/save", content='{"a": 1}', headers=headers).status_code == status


def test_another_page_reads_nothing() -> None:
    assert client().get("/api/rows", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client().get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link from a mail


def test_a_token_is_needed_where_others_can_reach_the_page() -> None:
    assert (
        Access.of("127.0.0.1", PORT).token == Access.of("::1", PORT).token == Access.of("localhost", PORT).token == ""
    )
    for host in ("0.0.0.0", "192.168.1.5", "my-machine", "::"):
        assert len(Access.of(host, PORT).token) >= 32
    asked = client("192.168.1.5", "right")
    assert asked.get("/").status_code == 200
    for given in (None, "Bearer wrong", "Bearer ", "Bearer rightx", "Bearer \xe9"):
        headers = {"authorization": given.encode("latin-1")} if given else {}
        assert asked.get("/api/rows", headers=headers).status_code == 401
        assert asked.get("/api/rows?token=right", headers=headers).status_code == 401
    assert asked.get("/api/rows", headers={"authorization": "Bearer right"}).status_code == 200


@pytest.mark.parametrize("body", ["", "[]", "nonsense", '"text"', "[" * 100_000, '{"a": ' * 50_000, "\xff"])
def test_what_is_no_json_object_is_refused(body: str) -> None:
    got = client().post("/api/save", content=body.encode("latin-1"), headers=JSON)
    assert got.status_code == 400 and got.json()["error"]


def test_a_large_body_is_refused() -> None:
    body = json.dumps({"a": "x" * 2_000_000})
    assert client().post("/api/save", content=body, headers=JSON).status_code == 400


def test_errors_are_json_without_a_traceback() -> None:
    said = {"/api/wrong": 400, "/api/conflict": 409, "/api/missing": 404, "/api/broken": 500, "/api/none": 404}
    for path, status in said.items():
        got = client().get(path)
        assert got.status_code == status and got.json()["error"] and "Traceback" not in got.text
        assert "secret" not in got.text
    assert client().get("/api/wrong").json() == {"error": "wrong", "fix": "do so"}
    assert client().get("/api/save").status_code == 405
    assert client().get("/api/rows/7").json() == {"row": "7", "odd": None}


def test_the_next_free_port_is_taken_unless_one_is_named() -> None:
    with server.listen("127.0.0.1", None) as first, server.listen("127.0.0.1", None) as second:
        ports = [one.getsockname()[1] for one in (first, second)]
        assert ports[0] != ports[1] and all(PORT <= port < PORT + 20 for port in ports)
        with pytest.raises(InputError, match=f"port {ports[0]} "):
            server.listen("127.0.0.1", ports[0])
    with pytest.raises(InputError, match="address"):
        server.listen("192.0.2.1", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with server.listen("127.0.0.1", port) as made:
        assert server.address(made, Access.of("127.0.0.1", port)) == f"http://127.0.0.1:{port}/"
    with server.listen("0.0.0.0", port) as made:
        found = server.address(made, Access.of("0.0.0.0", port, "secret"))
        assert found == f"http://{socket.gethostname()}:{port}/?token=secret", "0.0.0.0 is no address for others"


def test_the_page_is_small_and_loads_only_itself() -> None:
    files = {path.name: path.read_text("utf-8") for path in server.STATIC.iterdir()}
    assert sum(len(text.encode()) for text in files.values()) < 60_000
    named = set(re.findall(r"""https?://[^"'\s]+""", "".join(files.values())))
    assert named == {"http://www.w3.org/2000/svg"}, "a name, not an address"
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "style="):
        assert sink not in files["page.js"] + files["index.html"]
