# SPDX-License-Identifier: Apache-2.0
"""What exactly reaches an upstream? A server that keeps every byte it is sent, and answers with just what it is told.

Its reading of HTTP is its own and strict, so that nothing of what is tested judges itself.
"""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came: its first line, its headers in order (names in lower case), its body without framing."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


#: What is answered to a request, byte for byte; None: hang up without a word.
Say = Callable[[Heard], bytes | None]


def ok(body: bytes = b"{}", *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """An ordinary answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@dataclass
class Recorder:
    """The server. ``strange``: what was no request."""

    say: Say = field(default=lambda _heard: ok())
    heard: list[Heard] = field(default_factory=list)
    strange: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody."""
        self._socket.close()
        for one in list(self._open):
            one.close()

    def clear(self) -> None:
        """Forget what was heard, and answer as usual again."""
        self.heard.clear()
        self.strange.clear()
        self.say = lambda _heard: ok()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(peer, self.connections), daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        self._open.add(peer)
        peer.settimeout(_PATIENCE_S)
        reader = peer.makefile("rb")
        try:
            while (heard := self._read(reader, number)) is not None:
                self.heard.append(heard)
                said = self.say(heard)
                if said is None:
                    return
                peer.sendall(said)
        except (OSError, ValueError):
            pass
        finally:
            self._open.discard(peer)
            peer.close()

    def _read(self, reader: "socket.SocketIO | object", number: int) -> Heard | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = reader.readline()  # type: ignore[attr-defined]
            if not line:
                if head:
                    self.strange.append(head)
                return None
            head += line
        lines = head[:-4].split(b"\r\n")
        pairs = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line:
                self.strange.append(head)
                return None
            pairs.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        return Heard(lines[0].decode("latin-1"), tuple(pairs), self._body(pairs, reader, head), number)

    def _body(self, pairs: list[tuple[str, str]], reader: object, head: bytes) -> bytes:
        lengths = [value for name, value in pairs if name == "content-length"]
        codings = [value for name, value in pairs if name == "transfer-encoding"]
        if len(lengths) + len(codings) > 1 or (codings and codings != ["chunked"]):
            self.strange.append(head)
            raise ValueError("the length of the body cannot be told")
        if lengths:
            return bytes(reader.read(int(lengths[0])))  # type: ignore[attr-defined]
        whole = b""
        while codings:
            size = int(reader.readline(), 16)  # type: ignore[attr-defined]
            whole += reader.read(size)  # type: ignore[attr-defined]
            reader.readline()  # type: ignore[attr-defined]
            if size == 0:
                break
        return whole
