# SPDX-License-Identifier: Apache-2.0
"""Does the record of a backup find its pod again, and what becomes of one that cannot?"""

from typing import Any, cast

import pytest

from tests.unit.doors.block_storage.test_handovers import Script, request
from tricircle.context import PodId
from tricircle.doors.block_storage.operators.backup_records import BackupRecords, decoded, encoded
from tricircle.errors import InvalidRequestError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind

PODS = [Pod(id=PodId(f"p{number}"), name=f"Pod{number}", az_name=f"az{number}") for number in (1, 2)]
RECORD: dict[str, object] = {"id": "b", "volume_id": "v", "host": "storage"}


class Hosts:
    """The pods in use."""

    async def pods(self) -> list[Pod]:
        return PODS


def records(script: Script) -> BackupRecords:
    return BackupRecords(script.needs(), cast("Any", Hosts()))


def body(**record: object) -> dict[str, object]:
    return {"backup-record": {"backup_service": "s", "backup_url": encoded({**RECORD, **record})}}


def sent(script: Script) -> dict[str, object]:
    """The record as the pod got it."""
    record = decoded(cast("dict[str, Any]", script.sent[-1])["backup-record"]["backup_url"])
    assert record is not None
    return record


async def test_a_record_comes_back_to_the_pod_in_its_host() -> None:
    script = Script(answers={("POST", "/v3/here"): {"backup": {"id": "b"}}})
    await records(script).take(request(body(host="Pod2.storage")))
    assert ("POST", "/v3/here", "p2") in script.done
    assert script.done[-1] == ("record", Kind.BACKUP, "b", "p2")
    assert sent(script) == RECORD


@pytest.mark.parametrize("known", [(Kind.BACKUP, "b"), (Kind.VOLUME, "v")])
async def test_a_record_of_a_pods_own_goes_where_its_things_are(known: tuple[Kind, str]) -> None:
    script = Script(places={known: "p2"})
    await records(script).take(request(body()))
    assert ("POST", "/v3/here", "p2") in script.done


async def test_a_record_of_nowhere_is_refused() -> None:
    script = Script()
    with pytest.raises(InvalidRequestError, match="names no place of this cloud"):
        await records(script).take(request(body()))
    assert script.done == []


@pytest.mark.parametrize("url", ["", "no record", "bm8ganNvbg==", 7, None])
async def test_what_is_no_record_is_refused_by_a_pod(url: object) -> None:
    script = Script()
    await records(script).take(request({"backup-record": {"backup_service": "s", "backup_url": url}}))
    assert script.done == [("POST", "/v3/here", "p1")]
