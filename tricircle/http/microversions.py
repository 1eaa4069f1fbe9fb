# SPDX-License-Identifier: Apache-2.0
"""Which microversion does a request ask for, and which one does it get? Pure.

Texts and order of checks are those of Nova and Cinder: a malformed version is a 400 without version headers, one out
of range a 406.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from tricircle.errors import InvalidRequestError, NotAcceptableError
from tricircle.http.message import Headers
from tricircle.model.microversion import Version
from tricircle.model.pod import Service

HEADER = b"openstack-api-version"
LEGACY_COMPUTE_HEADER = b"x-openstack-nova-api-version"
#: All that say which version was asked for, or answered in.
HEADERS = frozenset((HEADER, LEGACY_COMPUTE_HEADER))
#: What the header calls a service.
NAMES = {Service.COMPUTE: "compute", Service.BLOCK_STORAGE: "volume", Service.PLACEMENT: "placement"}
#: What a request without the header gets.
DEFAULTS = {Service.COMPUTE: "2.1", Service.BLOCK_STORAGE: "3.0", Service.PLACEMENT: "1.0"}
#: Cinder's versions before there were microversions: a refusal of one is not marked with it.
_WITHOUT_HEADERS = ("1.0", "2.0")
#: Cinder takes no header that names other services only; Nova and Placement pass over it.
_OF_ANOTHER = "The server could not comply with the request since it is either malformed or otherwise incorrect."
#: Python refuses to read numbers of thousands of digits.
_FORM = re.compile(r"([1-9]\d{0,999})\.([1-9]\d{0,999}|0)")


@lru_cache(1024)
def parse(text: str) -> Version:
    """The version in ``text``. :raises InvalidRequestError: in Nova's words

    >>> parse("2.10") > parse("2.9")
    True
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidRequestError(
            f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    return Version(int(match[1]), int(match[2]))


def requested(headers: Iterable[tuple[bytes, bytes]], service: Service) -> str | None:
    """What the headers ask for, as written (``latest`` too); None when nothing. The last one wins, as in the services.

    >>> requested([(b"openstack-api-version", b"volume 3.1, compute 2.79")], Service.COMPUTE)
    '2.79'
    """
    name = NAMES.get(service)
    standard: str | None = None
    legacy: str | None = None
    for key, value in headers:
        if key == HEADER:
            for part in value.decode("latin-1").split(","):
                words = part.split(None, 1)
                if len(words) == 2 and words[0].lower() == name:
                    standard = words[1].strip()
        elif key == LEGACY_COMPUTE_HEADER and service is Service.COMPUTE:
            legacy = value.decode("latin-1").split(",")[-1].strip()
    return standard if standard is not None else legacy


def negotiate(
    headers: Sequence[tuple[bytes, bytes]],
    service: Service,
    minimum: Version,
    maximum: Version,
    *,
    latest: Version | None = None,
) -> Version:
    """The version that a request is answered in.

    :param minimum: lowest version served
    :param maximum: highest version served
    :param latest: what ``latest`` means: the maximum, unless not all who may have to answer serve it
    :raises InvalidRequestError: the header is malformed, or names other services only (Cinder)
    :raises NotAcceptableError: out of range; the text names our range, never a pod's
    """
    text = requested(headers, service)
    if text is None:
        if service is Service.BLOCK_STORAGE and any(key == HEADER for key, _ in headers):
            raise InvalidRequestError(_OF_ANOTHER)
        return parse(DEFAULTS[service])
    if text == "latest":
        return maximum if latest is None else latest
    version = parse(text)
    if not minimum <= version <= maximum:
        raise NotAcceptableError(
            f"Version {version} is not supported by the API. Minimum is {minimum} and maximum is {maximum}."
        )
    return version


def request_headers(service: Service, version: Version) -> Headers:
    """What an upstream is asked with."""
    return [(HEADER, f"{NAMES[service]} {version}".encode())]


def answer_headers(service: Service, version: Version) -> Headers:
    """What an answer carries, as the service itself would send it."""
    text = str(version).encode()
    if service is Service.COMPUTE:
        return [
            (HEADER, b"compute " + text),
            (LEGACY_COMPUTE_HEADER, text),
            (b"vary", b"OpenStack-API-Version"),
            (b"vary", b"X-OpenStack-Nova-API-Version"),
        ]
    if service is Service.BLOCK_STORAGE and any(gone in str(version) for gone in _WITHOUT_HEADERS):
        return []
    return [(HEADER, NAMES[service].encode() + b" " + text), (b"vary", b"OpenStack-API-Version")]
