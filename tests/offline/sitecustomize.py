"""On PYTHONPATH, lets no Python process reach beyond this machine: each try is written to $NETWORK_TRIES and fails.

An audit hook can't be gone round: it sees sockets opened by any module, however it came by them.
"""

import os
import sys
from typing import Any

_LOCAL = ("localhost", "127.0.0.1", "::1", "")


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        target = arguments[1]
        place = target[0] if isinstance(target, tuple) else "localhost"  # a path is a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        place = arguments[0] or ""
    else:
        return
    if str(place) not in _LOCAL:
        with open(os.environ["NETWORK_TRIES"], "a") as file:
            file.write(f"{event} {place} {' '.join(sys.argv[:3])}\n")
        raise PermissionError(f"{event} {place}: no network here")


sys.addaudithook(_guard)
