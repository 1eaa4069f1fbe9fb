# SPDX-License-Identifier: Apache-2.0
"""How does an error look in the words of one service API?

Forms are those which the services themselves send: compute and block storage name the fault (``{"itemNotFound":
{...}}``), network wraps it (``{"NeutronError": {...}}``), identity too (``{"error": {...}}``), image sends a page.
Pages follow the ``Accept`` header as the services' own do. Pure.
"""

import html
from enum import StrEnum
from http import HTTPStatus

from tricircle.http.message import Answer, Headers, header

_FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
#: The Admin API's own names, where they differ from compute's.
_ADMIN_NAMES = {422: "unprocessableEntity", 500: "internalServerError"}
#: What each service calls an error of a status when nothing more precise is known (names of webob's classes).
_NETWORK_TYPES = {
    400: "HTTPBadRequest",
    401: "HTTPUnauthorized",
    403: "HTTPForbidden",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    413: "HTTPRequestEntityTooLarge",
    501: "HTTPNotImplemented",
    502: "HTTPBadGateway",
    503: "HTTPServiceUnavailable",
    504: "HTTPGatewayTimeout",
}
_TITLES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}
_UNKNOWN_PATH = "The resource could not be found."
_IDENTITY_UNKNOWN_PATH = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and "
    "try again."
)
_UNAUTHORIZED = "The request you have made requires authentication."
_IMAGE_UNAUTHORIZED = (
    "This server could not verify that you are authorized to access the document you requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials "
    "required."
)


class Dialect(StrEnum):
    """Whose error form is spoken."""

    COMPUTE = "compute"  # Nova
    BLOCK_STORAGE = "block_storage"  # Cinder
    IMAGE = "image"  # Glance
    NETWORK = "network"  # Neutron
    IDENTITY = "identity"  # Keystone
    ADMIN = "admin"  # our own, v1.0

    def render(
        self,
        status: int,
        message: str,
        *,
        error_type: str | None = None,
        headers: Headers | None = None,
        accept: bytes = b"*/*",
    ) -> Answer:
        """An error as this service would send it.

        :param error_type: what Neutron calls it, such as ``NetworkNotFound``; others ignore it
        :param accept: the request's ``Accept`` header, which decides the form of a page
        """
        if self is Dialect.IMAGE:
            return page(status, message, headers=headers, accept=accept)
        if self is Dialect.NETWORK:
            name = error_type or _NETWORK_TYPES.get(status, "HTTPInternalServerError")
            body: dict[str, object] = {"NeutronError": {"type": name, "message": message, "detail": ""}}
        elif self is Dialect.IDENTITY:
            body = {"error": {"code": status, "message": message, "title": title(status)}}
        elif self is Dialect.ADMIN:
            name = _ADMIN_NAMES.get(status) or _FAULT_NAMES.get(status, "internalServerError")
            body = {name: {"message": message, "code": status}}
        else:
            fault: dict[str, object] = {"code": status, "message": message}
            retry = header(headers or (), b"retry-after")
            if status == 413 and retry is not None:
                fault["retryAfter"] = retry.decode()
            body = {_FAULT_NAMES.get(status, "computeFault"): fault}
        return Answer.json(status, body, headers)

    def unauthorized(self, identity_uri: str, *, accept: bytes = b"*/*") -> Answer:
        """401 as the token middleware of this service sends it, pointing at ``identity_uri``."""
        headers = [(b"www-authenticate", f'Keystone uri="{identity_uri}"'.encode())]
        if self is Dialect.IMAGE:
            return page(401, _IMAGE_UNAUTHORIZED, headers=headers, accept=accept)
        error = {"error": {"code": 401, "title": "Unauthorized", "message": _UNAUTHORIZED}}
        return Answer.json(401, error, headers)

    def unknown_path(self, *, accept: bytes = b"*/*") -> Answer:
        """404 for a path that the API does not have."""
        if self in (Dialect.NETWORK, Dialect.ADMIN):
            return self.render(404, _UNKNOWN_PATH)
        if self is Dialect.IDENTITY:
            text = (
                "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
                f"<p>{_IDENTITY_UNKNOWN_PATH}</p>\n"
            )
            return Answer(status=404, headers=[(b"content-type", b"text/html; charset=utf-8")], body=text.encode())
        return page(404, _UNKNOWN_PATH, accept=accept)


def title(status: int) -> str:
    """The phrase of a status as OpenStack's services send it: ``Not Found``."""
    known = _TITLES.get(status)
    if known is not None:
        return known
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def page(status: int, message: str, *, headers: Headers | None = None, accept: bytes = b"*/*") -> Answer:
    """An error outside of the JSON forms: HTML, JSON or plain text by the ``Accept`` header, byte for byte as webob
    does.
    """
    line = f"{status} {title(status)}"
    wanted = accept.lower()
    if b"text/html" in wanted or b"*/*" in wanted or b"text/*" in wanted:
        text = html.escape(message)
        body = (
            f"<html>\n <head>\n  <title>{line}</title>\n </head>\n <body>\n  <h1>{line}</h1>\n  {text}<br /><br />\n"
            "\n\n\n </body>\n</html>"
        )
        kind = b"text/html; charset=UTF-8"
    elif b"application/json" in wanted or b"application/*" in wanted:
        value = {"message": f"{message}<br /><br />\n\n\n", "code": line, "title": title(status)}
        return Answer.json(status, value, headers)
    else:
        body = f"{line}\n\n{message}\n\n   \n"
        kind = b"text/plain; charset=UTF-8"
    return Answer(status=status, headers=[(b"content-type", kind), *(headers or [])], body=body.encode())
