# SPDX-License-Identifier: Apache-2.0
"""What does the fake Nova do with what is declared: flavors, keypairs, quotas?"""

import hashlib
import itertools
from collections.abc import Callable, Sequence

from tricircle.testing.exchange import Asked, Json, Refusal, Route, Said, new_id, route
from tricircle.testing.lists import Manner, next_href, page

_LIMITS = {"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100, "metadata_items": 128, "server_groups": 10,
           "server_group_members": 10}  # fmt: skip


def marker_refusal(marker: str) -> Refusal:
    """What Nova says to a marker that it does not know."""
    return Refusal(400, f"marker [{marker}] not found")


class Flavors:
    """Flavors with their extra specs and who may use the private ones."""

    def __init__(self) -> None:
        self.stored: dict[str, Json] = {}
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Paths of flavors."""
        return [
            route("GET", "/flavors", self._list),
            route("GET", "/flavors/detail", self._list),
            route("POST", "/flavors", self._create),
            route("GET", "/flavors/{flavor_id}", self._show),
            route("DELETE", "/flavors/{flavor_id}", self._delete),
            route("POST", "/flavors/{flavor_id}/action", self._access),
            route("GET", "/flavors/{flavor_id}/os-flavor-access", self._list_access),
            route("GET", "/flavors/{flavor_id}/os-extra_specs", self._specs),
            route("POST", "/flavors/{flavor_id}/os-extra_specs", self._set_specs),
            route("DELETE", "/flavors/{flavor_id}/os-extra_specs/{key}", self._unset_spec),
        ]

    def find(self, asked: Asked, flavor_id: str) -> Json | None:
        """The flavor as the caller may see it."""
        flavor = self.stored.get(flavor_id)
        if flavor is None:
            return None
        is_open = flavor["_public"] or asked.caller.is_admin or asked.caller.project_id in flavor["_projects"]
        return flavor if is_open else None

    def _get(self, asked: Asked, flavor_id: str) -> Json:
        if (flavor := self.find(asked, flavor_id)) is None:
            raise Refusal(404, f"Flavor {flavor_id} could not be found.")
        return flavor

    def _list(self, asked: Asked) -> Said:
        mine = [one for one in self.stored.values() if self.find(asked, one["id"]) is not None]
        manner = Manner(sort_keys={"created_at": "_number", "flavorid": "id"}, marker_refusal=marker_refusal)
        taken, more = page(mine, asked, manner)
        is_detail = asked.path.endswith("detail")
        shown = [_flavor_shown(asked, one) for one in taken]
        brief = [{key: one[key] for key in ("id", "name", "links")} for one in shown]
        body: Json = {"flavors": shown if is_detail else brief}
        if more:
            href = next_href(asked, asked.prefix + "/flavors", taken[-1]["id"])
            body["flavors_links"] = [{"rel": "next", "href": href}]
        return Said(body=body)

    def _create(self, asked: Asked) -> Said:
        asked.need_admin("os_compute_api:os-flavor-manage:create")
        given = asked.part("flavor")
        if "description" in given and asked.version < (2, 55):
            raise Refusal(400, "Additional properties are not allowed ('description' was unexpected)")
        flavor_id = str(given.get("id") or new_id())
        if flavor_id in self.stored:
            raise Refusal(409, f"Flavor with ID {flavor_id} already exists.")
        if any(one["name"] == given["name"] for one in self.stored.values()):
            raise Refusal(409, f"Flavor with name {given['name']} already exists.")
        self.stored[flavor_id] = {
            "id": flavor_id, "name": given["name"], "ram": int(given["ram"]), "vcpus": int(given["vcpus"]),
            "disk": int(given["disk"]), "swap": given.get("swap", 0), "rxtx_factor": given.get("rxtx_factor", 1.0),
            "OS-FLV-EXT-DATA:ephemeral": given.get("OS-FLV-EXT-DATA:ephemeral", 0), "_specs": {}, "_projects": set(),
            "description": given.get("description"), "_public": given.get("os-flavor-access:is_public", True),
            "_number": next(self._numbers),
        }  # fmt: skip
        return Said(body={"flavor": _flavor_shown(asked, self.stored[flavor_id])})

    def _show(self, asked: Asked, flavor_id: str) -> Said:
        return Said(body={"flavor": _flavor_shown(asked, self._get(asked, flavor_id))})

    def _delete(self, asked: Asked, flavor_id: str) -> Said:
        asked.need_admin("os_compute_api:os-flavor-manage:delete")
        self._get(asked, flavor_id)
        del self.stored[flavor_id]
        return Said(status=202)

    def _access(self, asked: Asked, flavor_id: str) -> Said:
        asked.need_admin("os_compute_api:os-flavor-access:add_tenant_access")
        flavor, body = self._get(asked, flavor_id), asked.json()
        if (given := body.get("addTenantAccess")) is not None:
            if given["tenant"] in flavor["_projects"]:
                text = f"Flavor access already exists for flavor {flavor_id} and project {given['tenant']} combination."
                raise Refusal(409, text)
            flavor["_projects"].add(given["tenant"])
        else:
            flavor["_projects"].discard(body["removeTenantAccess"]["tenant"])
        return self._list_access(asked, flavor_id)

    def _list_access(self, asked: Asked, flavor_id: str) -> Said:
        flavor = self._get(asked, flavor_id)
        if flavor["_public"] and asked.method == "GET":
            raise Refusal(404, "Access list not available for public flavors.")
        projects = sorted(flavor["_projects"])
        return Said(body={"flavor_access": [{"flavor_id": flavor_id, "tenant_id": one} for one in projects]})

    def _specs(self, asked: Asked, flavor_id: str) -> Said:
        return Said(body={"extra_specs": self._get(asked, flavor_id)["_specs"]})

    def _set_specs(self, asked: Asked, flavor_id: str) -> Said:
        asked.need_admin("os_compute_api:os-flavor-extra-specs:create")
        self._get(asked, flavor_id)["_specs"] |= asked.part("extra_specs")
        return Said(body=asked.json())

    def _unset_spec(self, asked: Asked, flavor_id: str, key: str) -> Said:
        asked.need_admin("os_compute_api:os-flavor-extra-specs:delete")
        if self._get(asked, flavor_id)["_specs"].pop(key, None) is None:
            raise Refusal(404, f"Flavor {flavor_id} has no extra specs with key {key}.")
        return Said(status=200)


class Keypairs:
    """Keypairs; a name belongs to one user."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Json] = {}

    def routes(self) -> Sequence[Route]:
        """Paths of keypairs."""
        return [
            route("GET", "/os-keypairs", self._list),
            route("POST", "/os-keypairs", self._create),
            route("GET", "/os-keypairs/{name}", self._show),
            route("DELETE", "/os-keypairs/{name}", self._delete),
        ]

    def _whose(self, asked: Asked, given: str | None) -> str:
        return str(given) if given and asked.caller.is_admin else asked.caller.user_id

    def _list(self, asked: Asked) -> Said:
        user = self._whose(asked, asked.one("user_id"))
        return Said(body={"keypairs": [{"keypair": one} for (owner, _), one in self.stored.items() if owner == user]})

    def _create(self, asked: Asked) -> Said:
        given = asked.part("keypair")
        if "user_id" in given and asked.version < (2, 10):
            raise Refusal(400, "Additional properties are not allowed ('user_id' was unexpected)")
        user, name = self._whose(asked, given.get("user_id")), str(given["name"])
        if (user, name) in self.stored:
            raise Refusal(409, f"Key pair '{name}' already exists.")
        public = str(given.get("public_key") or f"ssh-ed25519 {new_id()} made-here")
        digest = hashlib.md5(public.encode(), usedforsecurity=False).hexdigest()
        fingerprint = ":".join(digest[at : at + 2] for at in range(0, 32, 2))
        made = {"name": name, "public_key": public, "fingerprint": fingerprint, "user_id": user, "type": "ssh"}
        self.stored[user, name] = made
        return Said(status=200 if asked.version < (2, 2) else 201, body={"keypair": made})

    def _get(self, asked: Asked, name: str) -> tuple[str, str]:
        user = self._whose(asked, asked.one("user_id"))
        if (user, name) not in self.stored:
            raise Refusal(404, f"Keypair {name} not found for user {user}")
        return user, name

    def _show(self, asked: Asked, name: str) -> Said:
        return Said(body={"keypair": self.stored[self._get(asked, name)]})

    def _delete(self, asked: Asked, name: str) -> Said:
        del self.stored[self._get(asked, name)]
        return Said(status=202 if asked.version < (2, 2) else 204)


class Quotas:
    """Limits per project, and per user in it; what nobody set is the stock default.

    :ivar in_use: what a user of a project has (None: the whole project), by name
    """

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, int]] = {}
        self.users: dict[tuple[str, str], dict[str, int]] = {}
        self.in_use: Callable[[str, str | None], dict[str, int]] = lambda _project, _user: {}

    def routes(self) -> Sequence[Route]:
        """Paths of quota sets."""
        return [
            route("GET", "/os-quota-sets/{project_id}", self._show),
            route("PUT", "/os-quota-sets/{project_id}", self._set),
            route("DELETE", "/os-quota-sets/{project_id}", self._unset),
            route("GET", "/os-quota-sets/{project_id}/detail", self._detail),
        ]

    def of(self, project_id: str, user_id: str | None = None) -> dict[str, int]:
        """All limits of a project, or those that count for a user in it."""
        return {**_LIMITS, **self.stored.get(project_id, {}), **self.users.get((project_id, user_id or ""), {})}

    def check(self, project_id: str, user_id: str, wanted: dict[str, int]) -> None:
        """:raises Refusal: so much more is too much for the project, or for the user in it"""
        scopes: list[tuple[str | None, dict[str, int]]] = [(None, self.of(project_id))]
        if (project_id, user_id) in self.users:
            scopes.append((user_id, self.of(project_id, user_id)))
        for whose, limits in scopes:
            used = self.in_use(project_id, whose)
            over = sorted(n for n, more in wanted.items() if more and 0 <= limits[n] < used.get(n, 0) + more)
            if over:
                names = ", ".join(over)
                told = [", ".join(str(values.get(n, 0)) for n in over) for values in (wanted, used, limits)]
                text = (
                    f"Quota exceeded for {names}: Requested {told[0]}, but already used {told[1]} of {told[2]} {names}"
                )
                raise Refusal(403, text)

    def _show(self, asked: Asked, project_id: str) -> Said:
        self._need_own(asked, project_id, "show")
        return Said(body={"quota_set": {"id": project_id, **self.of(project_id, asked.one("user_id"))}})

    def _detail(self, asked: Asked, project_id: str) -> Said:
        self._need_own(asked, project_id, "detail")
        user_id = asked.one("user_id")
        used = self.in_use(project_id, user_id)
        shown = {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in self.of(project_id, user_id).items()
        }
        return Said(body={"quota_set": {"id": project_id, **shown}})

    def _set(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("os_compute_api:os-quota-sets:update")
        given = {name: value for name, value in asked.part("quota_set").items() if name != "force"}
        user_id = asked.one("user_id")
        if user_id:
            self.users.setdefault((project_id, user_id), {}).update(given)
        else:
            self.stored.setdefault(project_id, {}).update(given)
        return Said(body={"quota_set": self.of(project_id, user_id)})

    def _unset(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("os_compute_api:os-quota-sets:delete")
        user_id = asked.one("user_id")
        if user_id:
            self.users.pop((project_id, user_id), None)
        else:
            self.stored.pop(project_id, None)
        return Said(status=202)

    @staticmethod
    def _need_own(asked: Asked, project_id: str, what: str) -> None:
        if not asked.caller.is_admin and asked.caller.project_id != project_id:
            raise Refusal(403, f"Policy doesn't allow os_compute_api:os-quota-sets:{what} to be performed.")


def _flavor_shown(asked: Asked, flavor: Json) -> Json:
    behind = f"flavors/{flavor['id']}"
    shown = {key: value for key, value in flavor.items() if not key.startswith("_") and key != "description"}
    shown["os-flavor-access:is_public"] = flavor["_public"]
    shown["OS-FLV-DISABLED:disabled"] = False
    shown["links"] = [
        {"rel": "self", "href": f"{asked.root}{asked.prefix}/{behind}"},
        {"rel": "bookmark", "href": f"{asked.root}/{behind}"},
    ]
    if not shown["swap"] and asked.version < (2, 75):
        shown["swap"] = ""
    if asked.version >= (2, 55):
        shown["description"] = flavor["description"]
    if asked.version >= (2, 61):
        shown["extra_specs"] = flavor["_specs"]
    return shown
