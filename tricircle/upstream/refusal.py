# SPDX-License-Identifier: Apache-2.0
"""Is a refusal (4xx) in the words of an OpenStack service, or of something that stands before it? Pure.

A balancer answers 404 while a service is deployed anew, a firewall 403: nobody may conclude from that that something is
gone or forbidden, and their pages name hosts.
"""

import json
import re
from collections.abc import Mapping

from tricircle.upstream.reply import Reply

#: How webob, by which all of them answer, writes what is no JSON: no other server's page begins so.
_PAGE = re.compile(
    rb"\A<html>\s*<head>\s*<title>(\d{3})[^<]*</title>\s*</head>\s*<body>\s*<h1>\1[^<]*</h1>\s*(?!<hr|<address)"
)
_TEXT = re.compile(rb"\A(\d{3}) [A-Z][A-Za-z -]*\n\n")
#: Faults without a message one level below: Placement's and Neutron's.
_NAMES = frozenset(("errors", "NeutronError"))


def is_services_own(reply: Reply, method: str) -> bool:
    """Whether a service that speaks OpenStack's APIs can have said it.

    :param reply: with a status from 400 to 499 and its whole body
    """
    body = reply.body
    if not isinstance(body, bytes):
        return False
    if reply.status == 401 and (reply.header(b"www-authenticate") or b"").startswith(b"Keystone"):
        return True  # keystonemiddleware, in whatever form
    if not body.strip():
        # Cinder's answer to an outdated If-Match; no 4xx of another service's own is without a body.
        return method == "HEAD" or reply.status == 412
    if b"json" in (reply.header(b"content-type") or b""):
        return _is_fault(body)
    found = _PAGE.match(body) or _TEXT.match(body)
    return found is not None and int(found[1]) == reply.status


def _is_fault(body: bytes) -> bool:
    """Nova's and Cinder's (a name, below it code and message), Neutron's, Keystone's, Placement's, webob's own."""
    try:
        # What reads everything else takes no half of a surrogate pair; services repeat it to who sent it.
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(said, dict):
        return False
    if _NAMES & said.keys() or {"code", "message"} <= said.keys():
        return True
    return any(isinstance(one, Mapping) and "message" in one for one in said.values())
