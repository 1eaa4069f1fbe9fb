# SPDX-License-Identifier: Apache-2.0
"""How does a process without a listener of its own show its numbers, and that it lives?

A thread answers ``/metrics`` and ``/healthz``, so both are answered while the event loop is busy, and a loop that hangs
can be told. No token is asked for: the address is for monitoring only.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: Seconds that a client may take for its request.
_CLIENT_S = 10.0

#: Whether a process does what it is there for, and a word for how it fares. Called in a thread.
Condition = Callable[[], tuple[bool, str]]


class _Handler(WSGIRequestHandler):
    """Does not wait for ever, and logs nothing."""

    timeout = _CLIENT_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


class Exporter:
    """The two pages, from the moment it is made until :meth:`close`.

    :param port: 0 lets the system choose, see :attr:`port`
    :raises OSError: nobody may listen there, or somebody does
    """

    def __init__(self, host: str, port: int, condition: Condition) -> None:
        self._condition = condition
        self._metrics = make_wsgi_app()
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]

        class Server(ThreadingWSGIServer):
            """The library's, for the family of this address."""

            address_family = family

        self._server = make_server(str(address[0]), port, self._answer, Server, _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="exporter", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening. Waits for the thread, half a second at most."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path not in ("/metrics", "/healthz"):
            return _json(start_response, "404 Not Found", "there are /metrics and /healthz")
        if method != "GET":
            return _json(start_response, "405 Method Not Allowed", "only GET", ("Allow", "GET"))
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        is_well, word = self._condition()
        return _json(start_response, "200 OK" if is_well else "503 Service Unavailable", word)


def _json(start_response: "StartResponse", status: str, word: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    body = json.dumps({"status": word}).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]
