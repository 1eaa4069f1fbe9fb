# SPDX-License-Identifier: Apache-2.0
"""How does the record of a backup find the pod that can read it again?

A record is what Cinder's backup service writes about a backup, as JSON in base64; clients keep it. The pod that wrote
it is noted in it, by the name of its backup host, when it leaves; nobody else's storage holds the data.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from tricircle.doors.block_storage import words
from tricircle.doors.block_storage.operators.hosts import Hosts
from tricircle.doors.block_storage.volumes.volumes import Needs
from tricircle.errors import NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.model.host_names import full_name, name_in, pod_named
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind

_KEY = "backup-record"
Record = dict[str, object]


def decoded(url: object) -> Record | None:
    """What a record says; None when it is none.

    >>> decoded(encoded({"id": "7"})), decoded("no record")
    ({'id': '7'}, None)
    """
    try:
        record = msgspec.json.decode(base64.b64decode(url, validate=False)) if isinstance(url, str) else None
    except (binascii.Error, ValueError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def encoded(record: Record) -> str:
    """The record as Cinder writes it."""
    return base64.b64encode(msgspec.json.encode(record)).decode()


class BackupRecords:
    """``GET /backups/{backup_id}/export_record`` and ``POST /backups/import_record``."""

    def __init__(self, needs: Needs, hosts: Hosts) -> None:
        self._needs = needs
        self._hosts = hosts

    async def give(self, request: Request) -> Answer:
        """The record of a backup, with its pod in it."""
        carrier = self._needs.carrier
        pod = (await carrier.locate(Kind.BACKUP, request.params["backup_id"], request.context)).pod
        reply = await carrier.to_pod(request, pod)
        if reply.status >= 300:
            return await carrier.answer(request, pod, reply)
        body = reply.json()
        said = body.get(_KEY)
        record = decoded(said.get("backup_url")) if isinstance(said, dict) else None
        if record is None or not isinstance(said, dict):
            return await carrier.answer(request, pod, reply)
        record["host"] = full_name(pod, record.get("host"))
        return await carrier.answer_json(request, pod, reply, {**body, _KEY: {**said, "backup_url": encoded(record)}})

    async def take(self, request: Request) -> Answer:
        """Make a backup of a record, in the pod that wrote it."""
        document = await request.json()
        said = document.get(_KEY)
        record = decoded(said.get("backup_url")) if isinstance(said, Mapping) else None
        context, needs = request.context, self._needs
        if record is None or not isinstance(said, Mapping):
            pod = (await self._hosts.pods())[0]  # it says what is wrong with it
            return await needs.carrier.answer(request, pod, await needs.carrier.to_pod(request, pod))
        pod = await self._pod(request, record)
        if isinstance(host := record.get("host"), str):
            record["host"] = name_in(pod, host)
        if context.is_admin:
            await needs.bindings.ensure(context.project_id, pod, context.deadline)
        body: dict[str, object] = {**document, _KEY: {**said, "backup_url": encoded(record)}}
        reply = await needs.carrier.to_pod(request, pod, body=body)
        if reply.status < 300:
            made = reply.json().get("backup")
            if isinstance(made, Mapping) and isinstance(made.get("id"), str):
                await needs.carrier.record(Kind.BACKUP, str(made["id"]), pod, context)
        return await needs.carrier.answer(request, pod, reply)

    async def _pod(self, request: Request, record: Record) -> Pod:
        """The pod that a record names; of one that was taken from a pod itself, where its backup or volume lives.

        :raises InvalidRequestError: nothing in it leads to a pod
        """
        pods = await self._hosts.pods()
        named = pod_named(pods, str(record.get("host")))
        if named is not None or len(pods) == 1:
            return named or pods[0]
        for kind, key in ((Kind.BACKUP, "id"), (Kind.VOLUME, "volume_id")):
            try:
                return (await self._needs.carrier.locate(kind, str(record.get(key)), request.context)).pod
            except NotFoundError:
                continue
        raise words.record_unknown()
