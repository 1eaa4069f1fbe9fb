# SPDX-License-Identifier: Apache-2.0
"""What does the fake Neutron say about limits, and whose project is it that asks?"""

from collections.abc import Sequence

from tricircle.testing.exchange import Asked, Refusal, Route, Said, route

_DEFAULTS = {"network": 100, "subnet": 100, "port": 500, "security_group": 10, "security_group_rule": 100,
             "router": 10, "floatingip": 50, "rbac_policy": 10, "subnetpool": -1}  # fmt: skip


class NetworkQuotas:
    """Limits per project; what nobody set does not bite here."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, int]] = {}

    def routes(self) -> Sequence[Route]:
        """Paths of quotas; two of them are no projects but questions."""
        path = "/v2.0/quotas/{project_id}"
        return [
            route("GET", "/v2.0/quotas", self._list),
            route("GET", "/v2.0/quotas/project", self._whose),
            route("GET", "/v2.0/quotas/tenant", self._whose),
            route("GET", path, self._show),
            route("PUT", path, self._set),
            route("DELETE", path, self._unset),
        ]

    def check(self, project_id: str, singular: str, used: int) -> None:
        """Whether one more is allowed. :raises Refusal: 409"""
        limit = self.stored.get(project_id, {}).get(singular, -1)
        if 0 <= limit <= used:
            raise Refusal(409, f"Quota exceeded for resources: ['{singular}'].", "OverQuota")

    def _whose(self, asked: Asked) -> Said:
        word = asked.path.rstrip("/").rsplit("/", 1)[-1]
        return Said(body={word: {f"{word}_id": asked.caller.project_id}})

    def _list(self, asked: Asked) -> Said:
        asked.need_admin("get_quota")
        quotas = [{**_DEFAULTS, **limits, "project_id": one, "tenant_id": one} for one, limits in self.stored.items()]
        return Said(body={"quotas": quotas})

    def _show(self, asked: Asked, project_id: str) -> Said:
        return Said(body={"quota": {**_DEFAULTS, **self.stored.get(project_id, {})}})

    def _set(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("update_quota")
        self.stored.setdefault(project_id, {}).update(asked.part("quota"))
        return self._show(asked, project_id)

    def _unset(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("delete_quota")
        self.stored.pop(project_id, None)
        return Said(status=204)
