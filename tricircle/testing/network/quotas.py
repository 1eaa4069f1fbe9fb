# SPDX-License-Identifier: Apache-2.0
"""What does the fake Neutron say about limits, and whose project is it that asks?"""

from collections.abc import Callable, Sequence

from tricircle.testing.exchange import Asked, Refusal, Route, Said, route

_DEFAULTS = {"network": 100, "subnet": 100, "port": 500, "security_group": 10, "security_group_rule": 100,
             "router": 10, "floatingip": 50, "rbac_policy": 10, "subnetpool": -1}  # fmt: skip


class NetworkQuotas:
    """Limits per project, and those of projects for which nobody set any.

    :param used: how many a project has, by project and what Neutron calls one of them
    """

    def __init__(self, used: Callable[[str, str], int]) -> None:
        self._used = used
        self.defaults: dict[str, int] = dict(_DEFAULTS)
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

    def check(self, project_id: str, singular: str, more: int = 1) -> None:
        """Whether so many more are allowed. :raises Refusal: 409"""
        limit = self.stored.get(project_id, {}).get(singular, self.defaults.get(singular, -1))
        if 0 <= limit < self._used(project_id, singular) + more:
            raise Refusal(409, f"Quota exceeded for resources: ['{singular}'].", "OverQuota")

    def _whose(self, asked: Asked) -> Said:
        word = asked.path.rstrip("/").rsplit("/", 1)[-1]
        return Said(body={word: {f"{word}_id": asked.caller.project_id}})

    def _list(self, asked: Asked) -> Said:
        asked.need_admin("get_quota")
        quotas = [
            {**self.defaults, **limits, "project_id": one, "tenant_id": one} for one, limits in self.stored.items()
        ]
        return Said(body={"quotas": quotas})

    def _show(self, asked: Asked, project_id: str) -> Said:
        if project_id != asked.caller.project_id:
            asked.need_admin("get_quota")
        return Said(body={"quota": {**self.defaults, **self.stored.get(project_id, {})}})

    def _set(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("update_quota")
        limits = asked.part("quota")
        for singular, limit in limits.items():
            if 0 <= limit < (used := self._used(project_id, singular)):
                text = f"Quota limit {limit} for {singular} must be greater than or equal to already used {used}"
                raise Refusal(400, text, "HTTPBadRequest")
        self.stored.setdefault(project_id, {}).update(limits)
        return self._show(asked, project_id)

    def _unset(self, asked: Asked, project_id: str) -> Said:
        asked.need_admin("delete_quota")
        self.stored.pop(project_id, None)
        return Said(status=204)
