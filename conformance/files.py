# SPDX-License-Identifier: Apache-2.0
"""Where does Glance download images from, where there is no way to the world? From here: one small image."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.topology import HOST, Lab

_BYTES = 64 * 1024
#: A qcow2 header, version 3, of an empty disk: Glance looks into what it downloads.
_IMAGE = (
    b"QFI\xfb"
    + (3).to_bytes(4, "big")
    + bytes(12)
    + (16).to_bytes(4, "big")
    + _BYTES.to_bytes(8, "big")
    + bytes(60)
    + (4).to_bytes(4, "big")
    + (104).to_bytes(4, "big")
).ljust(_BYTES, b"\0")


def url(lab: Lab) -> str:
    """The image's address: any path will do."""
    return f"http://{HOST}:{lab.port('files')}/image.qcow2"


@contextmanager
def served(lab: Lab) -> Iterator[None]:
    """As long as the block runs."""
    server = ThreadingHTTPServer((HOST, lab.port("files")), _Image)
    threading.Thread(target=server.serve_forever, name="conformance-files", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Image(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        """The image's size."""
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(_IMAGE)))
        self.end_headers()

    def do_GET(self) -> None:
        """The image."""
        self.do_HEAD()
        self.wfile.write(_IMAGE)

    def log_message(self, *_words: object) -> None:
        """Nothing: progress is on the screen."""
