# SPDX-License-Identifier: Apache-2.0
"""How does a call about one storage host or cluster come to its pod? The name in path, query or body says which."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from tricircle.copies.bodies import rows
from tricircle.doors.block_storage.operators.hosts import Hosts, show
from tricircle.http.message import Answer, Handler, Request
from tricircle.model.host_names import full_name, name_in
from tricircle.model.pod import Pod
from tricircle.road.carrier import Carrier
from tricircle.road.rewrite import Item, Shape
from tricircle.upstream.reply import Reply

#: Keys of bodies and queries that name a host, and those that name a cluster.
_HOSTS, _CLUSTERS = ("host",), ("cluster", "cluster_name")


class HostCalls:
    """Handlers of what is about one host: services, hosts, capabilities, clusters, and what can be managed there."""

    def __init__(self, *, carrier: Carrier, hosts: Hosts) -> None:
        self._carrier = carrier
        self._hosts = hosts

    async def service(self, request: Request) -> Answer:
        """``PUT /os-services/{action}`` with ``host`` or ``cluster`` in the body."""
        document = await request.json()
        pod, body = await self.addressed(request, document)
        return await self._answered(request, pod, await self._carrier.to_pod(request, pod, body=body))

    async def cluster(self, request: Request) -> Answer:
        """``PUT /clusters/enable`` and ``disable``, with the cluster's ``name`` in the body."""
        document = await request.json()
        name = document.get("name")
        if not isinstance(name, str) or not name:
            pod = (await self._hosts.pods())[0]
            return await self._answered(request, pod, await self._carrier.to_pod(request, pod))
        pod, inner = await self._hosts.find(request, name, is_cluster=True)
        reply = await self._carrier.to_pod(request, pod, body={**document, "name": inner})
        return await self._answered(request, pod, reply)

    def at(self, collection: str, *, is_cluster: bool = False, listed: Shape | None = None) -> Handler:
        """The handler of calls to ``/{collection}/{host}``.

        :param listed: shape of the items that an answer may list under ``host``
        """

        async def call(request: Request) -> Answer:
            pod, inner = await self._hosts.find(request, request.params["host"], is_cluster=is_cluster)
            path = f"/{collection}/{quote(inner, safe='')}"
            reply = await self._carrier.to_pod(request, pod, path=path)
            if listed is not None and reply.status < 300 and rows(reply.json(), "host"):
                return await self._carrier.answer(request, pod, reply, collection="host", shape=listed)
            return await self._answered(request, pod, reply)

        return call

    async def manageable(self, request: Request) -> Answer:
        """``GET /manageable_volumes`` and such: what could be managed, of the host or cluster in the query."""
        query = request.query_pairs()
        pod, names = await self.addressed(request, dict(query))
        inner = [(key, str(names[key]) if key in (*_HOSTS, *_CLUSTERS) else value) for key, value in query]
        reply = await self._carrier.to_pod(request, pod, query=urlencode(inner).encode())
        return await self._carrier.answer(request, pod, reply)

    async def addressed(
        self, request: Request, names: Mapping[str, object], pod: Pod | None = None
    ) -> tuple[Pod, dict[str, object]]:
        """The pod that is meant, and the same with the pod's own names of hosts and clusters.

        :param pod: the one that it must be, if anything else in the request says so
        """
        for keys, is_cluster in ((_CLUSTERS, True), (_HOSTS, False)):
            for key in keys:
                if pod is None and isinstance(name := names.get(key), str) and name:
                    pod, _ = await self._hosts.find(request, name, is_cluster=is_cluster)
        if pod is None:
            # It refuses in Cinder's words: nothing is named.
            pod = (await self._hosts.pods())[0]
        return pod, _inner(names, pod)

    async def _answered(self, request: Request, pod: Pod, reply: Reply) -> Answer:
        """The answer with the names of hosts that it repeats as administrators know them."""
        if reply.status >= 300 or not reply.body:
            return await self._carrier.answer(request, pod, reply)
        return await self._carrier.answer_json(request, pod, reply, _outer(reply.json(), pod))


def _inner(names: Mapping[str, object], pod: Pod) -> dict[str, object]:
    return {
        key: name_in(pod, value) if key in (*_HOSTS, *_CLUSTERS) and isinstance(value, str) else value
        for key, value in names.items()
    }


def _outer(body: Item, pod: Pod) -> Item:
    cluster = body.get("cluster")
    if isinstance(cluster, dict):
        # All about a cluster, and not the name of one.
        cluster["name"] = full_name(pod, cluster.get("name"))
        return body
    space, separator, name = str(body.get("namespace", "")).rpartition("::")
    if separator:
        body["namespace"] = f"{space}{separator}{full_name(pod, name)}"
    return show(body, pod)
