# SPDX-License-Identifier: Apache-2.0
"""Which calls does the Admin API v1.0 know, and what do they give?

Records are plain dictionaries with the API's field names. Lists follow ``*_links`` to their end unless a limit
was asked for.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as ksa_exceptions
from osc_lib import exceptions

Record = dict[str, Any]


class AdminClient:
    """The calls of the Admin API, over a keystoneauth session."""

    def __init__(
        self,
        session: Any,
        *,
        service_type: str,
        interface: str | None,
        region_name: str | None,
        endpoint_override: str | None,
    ) -> None:
        self._http = adapter.Adapter(
            session,
            service_type=service_type,
            interface=interface,
            region_name=region_name,
            endpoint_override=endpoint_override,
            user_agent="tricircle-osc",
        )

    def create(self, path: str, key: str, values: Mapping[str, Any]) -> Record:
        """Make one record: ``create("/pods", "pod", {"pod_name": "Pod1"})``."""
        return self._record(self._call("POST", path, json={key: dict(values)}), key)

    def show(self, path: str, key: str, record_id: str) -> Record:
        """One record by its id. :raises osc_lib.exceptions.NotFound: when there is none."""
        return self._record(self._call("GET", f"{path}/{record_id}"), key)

    def change(self, path: str, key: str, record_id: str, values: Mapping[str, Any]) -> Record:
        """Change fields of one record; the record as it is then."""
        return self._record(self._call("PUT", f"{path}/{record_id}", json={key: dict(values)}), key)

    def delete(self, path: str, record_id: str) -> None:
        """Remove one record."""
        self._call("DELETE", f"{path}/{record_id}")

    def records(self, path: str, key: str, query: Mapping[str, Any]) -> list[Record]:
        """All records, or one page of them when ``query`` holds ``limit``."""
        wanted = {name: value for name, value in query.items() if value is not None}
        is_one_page = "limit" in wanted
        found: list[Record] = []
        while True:
            answer = self._call("GET", path, params=wanted)
            page = answer.get(key, [])
            found.extend(page)
            has_more = any(link.get("rel") == "next" for link in answer.get(f"{key}_links", []))
            if is_one_page or not has_more or not page:
                return found
            id_field = "pod_id" if key == "pods" else "id"
            wanted["marker"] = page[-1][id_field]

    def delete_each(self, path: str, ids: Iterable[str], find: Callable[[str], str] = str) -> None:
        """Remove several records and go on after a refusal.

        :param find: turns what the operator typed into an id
        :raises osc_lib.exceptions.CommandError: at the end, with every refusal
        """
        _each(ids, lambda typed: self.delete(path, find(typed)), "removed")

    def redo_each(self, path: str, ids: Iterable[str]) -> None:
        """Give several jobs a fresh start and go on after a refusal. Raises as :meth:`delete_each`."""
        _each(ids, lambda typed: self._call("PUT", f"{path}/{typed}"), "redone")

    def pod_id(self, name_or_id: str) -> str:
        """The id of the pod with this name or id. :raises osc_lib.exceptions.CommandError: when there is none."""
        return str(self.pod(name_or_id)["pod_id"])

    def pod(self, name_or_id: str) -> Record:
        """The pod with this name or id. :raises osc_lib.exceptions.CommandError: when there is none."""
        named = self.records("/pods", "pods", {"pod_name": name_or_id})
        if named:
            return named[0]
        try:
            return self.show("/pods", "pod", name_or_id)
        except exceptions.NotFound as error:
            message = f"No pod with the name or id '{name_or_id}'."
            raise exceptions.CommandError(message) from error

    def _call(self, method: str, path: str, **kwargs: Any) -> Record:
        try:
            response = self._http.request(path, method, raise_exc=False, **kwargs)
        except ksa_exceptions.EndpointNotFound as error:
            message = (
                "The catalog has no Admin API (service type 'Cascading'). The operator registers it with "
                "'tricircle-manage catalog sync'; or name it with --os-tricircle-endpoint-override."
            )
            raise exceptions.CommandError(message) from error
        if response.status_code >= 400:
            raise _refusal(response)
        if not response.content:
            return {}
        body = response.json()
        return body if isinstance(body, dict) else {}

    @staticmethod
    def _record(answer: Record, key: str) -> Record:
        record = answer.get(key)
        if not isinstance(record, dict):
            message = f"The Admin API's answer holds no '{key}'."
            raise exceptions.CommandError(message)
        return record


def _each(ids: Iterable[str], act: Callable[[str], object], done: str) -> None:
    """Do something with each and tell every refusal at the end.

    :raises osc_lib.exceptions.CommandError: at least one was refused
    """
    refusals = []
    for typed in ids:
        try:
            act(typed)
        except (exceptions.CommandError, exceptions.NotFound) as error:
            refusals.append(f"'{typed}' was not {done}: {error}")
    if refusals:
        raise exceptions.CommandError("\n".join(refusals))


def _refusal(response: Any) -> Exception:
    """The API's own words, without what surrounds them."""
    text = response.reason or "error"
    try:
        body = response.json()
    except ValueError:
        body = {}
    if isinstance(body, dict):
        for fault in body.values():
            if isinstance(fault, dict) and fault.get("message"):
                text = str(fault["message"])
    if response.status_code == 404:
        return exceptions.NotFound(404, text)  # type: ignore[no-any-return]
    return exceptions.CommandError(f"{text} (HTTP {response.status_code})")  # type: ignore[no-any-return]
