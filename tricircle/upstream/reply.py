# SPDX-License-Identifier: Apache-2.0
"""What did an upstream answer, and what was asked of it?"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from tricircle.errors import BadUpstreamAnswerError
from tricircle.model.pod import Service

Headers = list[tuple[bytes, bytes]]
#: What ``Target.pod`` says for a service of the centre.
CENTRAL = "central"


@dataclass(frozen=True, slots=True)
class Target:
    """One service of one pod. ``pod`` is the pod's id, or ``central``."""

    pod: str
    service: Service
    url: str
    #: Operator's words, for logs and metrics: ``Pod1/compute``. Never shown to a tenant.
    label: str


@dataclass(slots=True, kw_only=True)
class Call:
    """One HTTP call to a target.

    :ivar path: percent-encoded path behind the service root, with version and query: ``/v2.1/servers/detail?limit=5``
    :ivar headers: end-to-end headers in lower case, token included; hop-by-hop headers are never among them
    :ivar is_streamed: the reply's body is handed over as a stream
    """

    method: str
    path: str
    headers: Headers = field(default_factory=list, repr=False)
    body: bytes | AsyncIterator[bytes] | None = field(default=None, repr=False)
    is_streamed: bool = False


@dataclass(slots=True, kw_only=True)
class Reply:
    """What came back. Header names are in lower case; hop-by-hop headers and content-length are already removed."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    close: Callable[[], Awaitable[None]] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def json(self) -> dict[str, object]:
        """The body as a JSON object. :raises BadUpstreamAnswerError: when it is not one."""
        try:
            value = msgspec.json.decode(self.body if isinstance(self.body, bytes) else b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.") from error
        if not isinstance(value, dict):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return value
