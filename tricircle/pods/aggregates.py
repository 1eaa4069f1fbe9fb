# SPDX-License-Identifier: Apache-2.0
"""How does the central Nova show which pods there are? One host aggregate ``ag_<pod>`` per pod, with the pod's AZ.

It has no hosts; it is what ``openstack aggregate list`` shows to operators, as in the first release. Every step may
be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import Deadline
from tricircle.errors import (
    BadUpstreamAnswerError,
    OutcomeUnknownError,
    UnavailableError,
    UnprocessableError,
    UpstreamStatusError,
)
from tricircle.upstream.client import Clients
from tricircle.upstream.reply import Target

_PATH = "/v2.1/os-aggregates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A host aggregate; ``is_new`` when this call made it."""

    id: int
    name: str
    az_name: str | None
    is_new: bool = False


def aggregate_name(pod_name: str) -> str:
    """The name of a pod's aggregate."""
    return f"ag_{pod_name}"


class Aggregates:
    """The pods' aggregates at the central compute service.

    :param target: the central compute service
    """

    def __init__(self, clients: Clients, target: Target) -> None:
        self._clients = clients
        self._target = target

    async def ensure(self, pod_name: str, az_name: str, deadline: Deadline) -> Aggregate:
        """The pod's aggregate with this AZ: made, or the one of this name adopted.

        :raises UnprocessableError: Nova refuses the AZ's name
        """
        name = aggregate_name(pod_name)
        body = {"aggregate": {"name": name, "availability_zone": az_name}}
        try:
            made = await self._ask("POST", _PATH, deadline, body=body)
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            found = await self.find(pod_name, deadline)
            if found is None:
                raise
            return found if found.az_name == az_name else await self._move(found, az_name, deadline)
        aggregate = _aggregate(made.get("aggregate"))
        return Aggregate(id=aggregate.id, name=aggregate.name, az_name=aggregate.az_name, is_new=True)

    async def find(self, pod_name: str, deadline: Deadline) -> Aggregate | None:
        """The pod's aggregate, or None."""
        listed = (await self._ask("GET", _PATH, deadline)).get("aggregates")
        for item in listed if isinstance(listed, list) else []:
            aggregate = _aggregate(item)
            if aggregate.name == aggregate_name(pod_name):
                return aggregate
        return None

    async def remove(self, pod_name: str, deadline: Deadline) -> bool:
        """Remove the pod's aggregate. False when there was none."""
        found = await self.find(pod_name, deadline)
        if found is None:
            return False
        await self._ask("DELETE", f"{_PATH}/{found.id}", deadline)
        return True

    async def _move(self, aggregate: Aggregate, az_name: str, deadline: Deadline) -> Aggregate:
        body = {"aggregate": {"availability_zone": az_name}}
        moved = await self._ask("PUT", f"{_PATH}/{aggregate.id}", deadline, body=body)
        return _aggregate(moved.get("aggregate"))

    async def _ask(self, method: str, path: str, deadline: Deadline, *, body: object = None) -> dict[str, object]:
        """One call. A refusal is an UpstreamStatusError, or an UnprocessableError for what Nova says of the values."""
        client = self._clients.as_service(self._target)
        ok = (404,) if method == "DELETE" else ()
        try:
            return await client.ask(method, path, body=body, deadline=deadline, ok=ok)
        except UpstreamStatusError as error:
            if error.status != 400:
                raise
            raise UnprocessableError(
                f"The central compute service refuses the aggregate: {error.body[:300]}"
            ) from error
        except (UnavailableError, OutcomeUnknownError) as error:
            # Every step may be repeated, so the operator need not know whether it was carried out.
            raise UnavailableError(
                f"The central compute service does not answer: {error.__cause__ or error}"
            ) from error


def _aggregate(item: object) -> Aggregate:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), int):
        raise BadUpstreamAnswerError("The central compute service sent an answer that cannot be read.")
    return Aggregate(id=item["id"], name=str(item.get("name")), az_name=item.get("availability_zone"))
