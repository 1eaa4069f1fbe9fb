# SPDX-License-Identifier: Apache-2.0
"""How do Nova and Cinder take a microversion, and what do they say about one they do not have?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.testing.exchange import UNROUTED, Asked, Json, Refusal, Said, webob_error

_FORM = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Microversions:
    """One service's range.

    :ivar word: the service's name in ``OpenStack-API-Version``
    :ivar legacy: a header that holds the number alone, or an empty string
    """

    word: str
    minimum: tuple[int, int]
    maximum: tuple[int, int]
    legacy: str = ""

    def negotiate(self, asked: Asked) -> None:
        """Set ``asked.version``. :raises Refusal: 400 for a malformed one, 406 for one out of range."""
        asked.version = self.minimum
        named = self._named(asked.headers)
        if named == "latest":
            asked.version = self.maximum
        elif named:
            asked.version = (0, 0)  # an answer to a malformed version names none
            if (match := _FORM.fullmatch(named)) is None:
                text = f"API Version String {named} is of invalid format. Must be of format MajorNum.MinorNum."
                raise Refusal(400, text)
            asked.version = int(match[1]), int(match[2])
        if not self.minimum <= asked.version <= self.maximum:
            text = (
                f"Version {named} is not supported by the API. Minimum is {self.text(self.minimum)} "
                f"and maximum is {self.text(self.maximum)}."
            )
            raise Refusal(406, text)

    def _named(self, headers: Mapping[str, str]) -> str:
        named = headers.get(self.legacy.lower(), "") if self.legacy else ""
        for entry in headers.get("openstack-api-version", "").split(","):
            word, _, number = entry.strip().partition(" ")
            if word.lower() == self.word and number:
                named = number.strip()
        return named

    def mark(self, asked: Asked, said: Said) -> Said:
        """Add the version headers, as answers behind the authentication have them."""
        if said.status == 401 or asked.version == (0, 0) or isinstance(said.body, bytes):
            return said
        number = self.text(asked.version)
        said.headers["OpenStack-API-Version"] = f"{self.word} {number}"
        said.headers["Vary"] = "OpenStack-API-Version"
        if self.legacy:
            said.headers[self.legacy] = number
            said.headers["Vary"] = f"OpenStack-API-Version, {self.legacy}"
        return said

    @staticmethod
    def text(version: tuple[int, int]) -> str:
        """``(2, 96)`` as ``2.96``."""
        return f"{version[0]}.{version[1]}"


#: The names under which Nova and Cinder put a fault into its JSON body; both call the rest "computeFault".
_FAULTS = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
    503: "serviceUnavailable",
}  # fmt: skip


def fault(asked: Asked, refusal: Refusal) -> Said:
    """A refusal as Nova and Cinder write it."""
    if refusal.kind == UNROUTED:
        asked.version = (0, 0)  # the version is negotiated behind the paths
        return webob_error(asked, 404, "Not Found", refusal.message)
    if refusal.status == 401:
        # Not the service speaks but keystonemiddleware in front of it.
        body: Json = {"error": {"code": 401, "title": "Unauthorized", "message": refusal.message}}
        return Said(status=401, body=body, headers=refusal.headers)
    name = _FAULTS.get(refusal.status, "computeFault")
    body = {name: {"code": refusal.status, "message": refusal.message}}
    if retry := refusal.headers.get("Retry-After"):
        body[name]["retryAfter"] = retry
    return Said(status=refusal.status, body=body, headers=refusal.headers)
