# SPDX-License-Identifier: Apache-2.0
"""What does the fake Keystone do? Tokens by password, their validation, regions, services and endpoints."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tricircle.testing.exchange import Answerer, Asked, Json, Refusal, Route, Said, new_id, route
from tricircle.testing.identities import Identities, Identity

_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
_DOMAIN = {"id": "default", "name": "Default"}


class Keystone:
    """The one identity service of all regions.

    :ivar regions: by id, as the API shows them; ``services`` and ``endpoints`` likewise
    """

    name = "identity"
    public = re.compile(r"/?|/v3/?|/v3/auth/tokens")

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self.regions: dict[str, Json] = {}
        self.services: dict[str, Json] = {}
        self.endpoints: dict[str, Json] = {}

    def add_region(self, region: str, parent: str | None = None, urls: Mapping[str, str] | None = None) -> None:
        """A region with one public, internal and admin endpoint per service type in ``urls``."""
        self.regions[region] = {"id": region, "parent_region_id": parent, "description": ""}
        for kind, url in (urls or {}).items():
            service = next((one for one in self.services.values() if one["type"] == kind), None)
            if service is None:
                service = {"id": new_id(), "type": kind, "name": kind, "enabled": True}
                self.services[service["id"]] = service
            for interface in ("public", "internal", "admin"):
                endpoint = {"id": new_id(), "service_id": service["id"], "region_id": region, "region": region,
                            "interface": interface, "url": url, "enabled": True}  # fmt: skip
                self.endpoints[endpoint["id"]] = endpoint

    def routes(self) -> Sequence[Route]:
        """Keystone's paths."""
        made = [
            route("GET", "/", self._versions),
            route("GET", "/v3", self._version),
            route("POST", "/v3/auth/tokens", self._sign_in),
            route("GET", "/v3/auth/tokens", self._validate),
            route("DELETE", "/v3/auth/tokens", self._revoke),
            route("GET", "/v3/auth/catalog", self._show_catalog),
            route("GET", "/v3/projects/{project_id}", self._project),
        ]
        for name in ("regions", "services", "endpoints"):
            made += [
                route("GET", f"/v3/{name}", self._lister(name)),
                route("POST", f"/v3/{name}", self._maker(name)),
                route("GET", f"/v3/{name}/{{resource_id}}", self._shower(name)),
            ]
        return made

    def understand(self, asked: Asked) -> str:
        """One version."""
        return asked.path

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """Keystone's form of an error."""
        error = {"code": refusal.status, "title": _TITLES.get(refusal.status, "Error"), "message": refusal.message}
        return Said(status=refusal.status, body={"error": error}, headers=refusal.headers)

    def finish(self, asked: Asked, said: Said) -> Said:
        """What every answer varies on."""
        said.headers.setdefault("Vary", "X-Auth-Token")
        return said

    def _document(self, asked: Asked) -> Json:
        links = [{"rel": "self", "href": f"{asked.root}/v3/"}]
        return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "links": links, "media-types": []}

    def _versions(self, asked: Asked) -> Said:
        return Said(status=300, body={"versions": {"values": [self._document(asked)]}})

    def _version(self, asked: Asked) -> Said:
        return Said(body={"version": self._document(asked)})

    def _sign_in(self, asked: Asked) -> Said:
        auth = asked.part("auth")
        try:
            user = auth["identity"]["password"]["user"]
            project = auth["scope"]["project"]
            token = self.identities.sign_in(user["name"], user["password"], project.get("id") or project["name"])
        except KeyError as error:
            raise Refusal(401, "The request you have made requires authentication.") from error
        identity = self.identities.of(token)
        if identity is None:
            raise Refusal(401, "The request you have made requires authentication.")
        return Said(status=201, body={"token": self._token(identity)}, headers={"X-Subject-Token": token})

    def _validate(self, asked: Asked) -> Said:
        if asked.who is None:
            raise Refusal(401, "The request you have made requires authentication.")
        identity = self.identities.of(asked.headers.get("x-subject-token"))
        if identity is None:
            raise Refusal(404, "Could not find token.")
        return Said(
            body={"token": self._token(identity)}, headers={"X-Subject-Token": asked.headers["x-subject-token"]}
        )

    def _revoke(self, asked: Asked) -> Said:
        self.identities.revoke(asked.headers.get("x-subject-token", ""))
        return Said(status=204)

    def _show_catalog(self, asked: Asked) -> Said:
        return Said(body={"catalog": self._catalog(asked.caller.project_id), "links": {}})

    def _project(self, asked: Asked, project_id: str) -> Said:
        for project in self.identities.projects.values():
            if project.id == project_id:
                return Said(body={"project": {"id": project.id, "name": project.name, "domain_id": "default"}})
        raise Refusal(404, f"Could not find project: {project_id}.")

    def _token(self, identity: Identity) -> Json:
        return {
            "methods": ["password"],
            "user": {
                "id": identity.user_id,
                "name": identity.user_name,
                "domain": _DOMAIN,
                "password_expires_at": None,
            },
            "project": {"id": identity.project_id, "name": identity.project_name, "domain": _DOMAIN},
            "roles": [{"id": name, "name": name} for name in sorted(identity.roles)],
            "audit_ids": [new_id()[:22]],
            "expires_at": _instant(identity.expires_at),
            "issued_at": _instant(datetime.now(UTC).timestamp()),
            "is_domain": False,
            "catalog": self._catalog(identity.project_id),
        }

    def _catalog(self, project_id: str) -> list[Json]:
        made = []
        for service in self.services.values():
            mine = [
                {key: one[key] for key in ("id", "interface", "region_id", "region")}
                | {"url": one["url"].replace("%(project_id)s", project_id)}
                for one in self.endpoints.values()
                if one["service_id"] == service["id"]
            ]
            made.append({"id": service["id"], "type": service["type"], "name": service["name"], "endpoints": mine})
        return made

    def _lister(self, name: str) -> Answerer:
        def answer(asked: Asked) -> Said:
            wanted = dict(asked.query)
            found = [one for one in self._stored(name).values() if all(one.get(k) == v for k, v in wanted.items())]
            return Said(body={name: found, "links": {"self": "", "next": None, "previous": None}})

        return answer

    def _maker(self, name: str) -> Answerer:
        def answer(asked: Asked) -> Said:
            asked.need_admin(f"identity:create_{name[:-1]}")
            made = {"id": new_id(), "enabled": True, **asked.part(name[:-1])}
            if made["id"] in self._stored(name):
                raise Refusal(409, f"Conflict occurred attempting to store {name[:-1]} - Duplicate ID, {made['id']}.")
            if name == "endpoints":
                made["region"] = made.get("region_id")
            self._stored(name)[made["id"]] = made
            return Said(status=201, body={name[:-1]: made})

        return answer

    def _shower(self, name: str) -> Answerer:
        def answer(asked: Asked, resource_id: str) -> Said:
            if resource_id not in self._stored(name):
                raise Refusal(404, f"Could not find {name[:-1]}: {resource_id}.")
            return Said(body={name[:-1]: self._stored(name)[resource_id]})

        return answer

    def _stored(self, name: str) -> dict[str, Json]:
        return {"regions": self.regions, "services": self.services, "endpoints": self.endpoints}[name]


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
