# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova say of consoles, and of events that other services have for its servers?"""

import uuid
from collections.abc import Callable, Mapping, Sequence

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, route

#: Action -> the key of its type, and the types that exist.
ACTIONS = {"os-getVNCConsole": "novnc", "os-getSPICEConsole": "spice-html5", "os-getSerialConsole": "serial"}
#: The last microversion of these actions.
_ACTIONS_END, _TOKENS_SINCE, _TLS_SINCE = (2, 5), (2, 31), (2, 99)
_TYPES = {
    ("vnc", "novnc"), ("spice", "spice-html5"), ("spice", "spice-direct"), ("serial", "serial"), ("mks", "webmks"),
}  # fmt: skip
_EVENTS = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", "volume-extended",
           "power-update", "accelerator-request-bound", "volume-reimaged")  # fmt: skip
_NEED_TAGS = ("volume-extended", "power-update", "accelerator-request-bound")


class Consoles:
    """Consoles of one pod.

    :param find: a server by its id, or a refusal
    :ivar proxy: host and port of the pod's console proxies
    :ivar tokens: what was given out: token -> server id
    """

    def __init__(self, find: Callable[[Asked, str], Json], servers: Mapping[str, Json], host: str) -> None:
        self._find = find
        self._servers = servers
        self._host = host
        #: Whether it is of a release that still had consoles for XenServer.
        self.is_old = False
        self.proxy = "canary-proxy.invalid:6080"
        self.tokens: dict[str, tuple[str, str]] = {}
        self.events: list[Json] = []

    def routes(self) -> Sequence[Route]:
        """Paths behind the version."""
        return [
            route("POST", "/servers/{server_id}/remote-consoles", self._create),
            route("GET", "/os-console-auth-tokens/{token}", self._show_token),
            route("POST", "/os-server-external-events", self._take_events),
        ]

    def act(self, asked: Asked, server_id: str, action: str) -> Said:
        """The actions up to 2.5."""
        if asked.version > _ACTIONS_END:
            raise Refusal(400, f"There is no such action: {action}")
        type_ = str(asked.part(action).get("type"))
        is_xvpvnc = (action, type_) == ("os-getVNCConsole", "xvpvnc")
        if type_ != ACTIONS[action] and not is_xvpvnc:
            raise Refusal(400, f"Invalid input for field/attribute type. Value: {type_}.")
        if is_xvpvnc and not self.is_old:
            # The schema still takes it, and nothing in Nova catches what its computes then say.
            raise Refusal(500, "Unexpected API Error.")
        return Said(body={"console": {"type": type_, "url": self._url(type_, server_id)}})

    def _create(self, asked: Asked, server_id: str) -> Said:
        self._find(asked, server_id)
        wanted = asked.part("remote_console")
        pair = (str(wanted.get("protocol")), str(wanted.get("type")))
        if pair not in _TYPES:
            raise Refusal(400, f"Invalid console type {pair[1]}")
        url = self._url(pair[1], server_id)
        return Said(body={"remote_console": {"protocol": pair[0], "type": pair[1], "url": url}})

    def _url(self, type_: str, server_id: str) -> str:
        token = str(uuid.uuid4())
        self.tokens[token] = (server_id, type_)
        query = {"novnc": f"vnc_lite.html?path=%3Ftoken%3D{token}", "spice-html5": f"spice_auto.html?token={token}"}
        scheme = "ws" if type_ == "serial" else "http"
        return f"{scheme}://{self.proxy}/{query.get(type_, f'?token={token}')}"

    def _show_token(self, asked: Asked, token: str) -> Said:
        if asked.version < _TOKENS_SINCE:
            raise Refusal(400, "The server could not comply with the request since it is either malformed or otherwise "
                               "incorrect.")  # fmt: skip
        asked.need_admin("os_compute_api:os-console-auth-tokens")
        if token not in self.tokens:
            raise Refusal(404, "Token not found")
        server_id, type_ = self.tokens[token]
        console: Json = {"instance_uuid": server_id, "host": self._host, "port": 5900, "internal_access_path": None}
        if type_ == "spice-direct" and asked.version >= _TLS_SINCE:
            console["tls_port"] = None
        return Said(body={"console": console})

    def _take_events(self, asked: Asked) -> Said:
        asked.need_admin("os_compute_api:os-server-external-events:create")
        events = asked.json().get("events")
        if not isinstance(events, list) or not events:
            raise Refusal(400, "Invalid input for field/attribute events.")
        said = [self._taken(event) for event in events]
        status = 200 if all(event["code"] == 200 for event in said) else 207
        return Said(status=status, body={"events": said})

    def _taken(self, event: Json) -> Json:
        if event.get("name") not in _EVENTS:
            raise Refusal(400, f"Invalid input for field/attribute name. Value: {event.get('name')}.")
        if event.get("server_uuid") not in self._servers:
            return {**event, "status": "failed", "code": 404}
        if event["name"] in _NEED_TAGS and event.get("tag") is None:
            return {**event, "status": "failed", "code": 400}
        self.events.append(event)
        return {**event, "status": "completed", "code": 200}
