# SPDX-License-Identifier: Apache-2.0
"""How does a volume change hands in a pod, and what is summed up there?"""

from collections.abc import Callable

from tests.contract.cloud import Cloud, eventually
from tests.contract.conftest import Undo

Volume = Callable[..., dict]


def test_a_transfer_gives_a_volume_to_another_project(cloud: Cloud, volume: Volume, undo: Undo) -> None:
    made = volume()
    body = {"transfer": {"volume_id": made["id"], "name": "gift"}}
    answer = cloud.tenant("POST", "block-storage", "/v3/os-volume-transfer", body)
    assert answer.status_code == 202
    transfer = answer.json()["transfer"]
    assert (transfer["volume_id"], transfer["name"]) == (made["id"], "gift")
    path = f"/v3/os-volume-transfer/{transfer['id']}"
    brief = cloud.tenant.good("GET", "block-storage", "/v3/os-volume-transfer")["transfers"]
    assert [set(one) for one in brief if one["id"] == transfer["id"]] == [{"id", "volume_id", "name", "links"}]
    detail = cloud.tenant.good("GET", "block-storage", "/v3/os-volume-transfer/detail")["transfers"]
    assert all("created_at" in one for one in detail)
    assert cloud.other("GET", "block-storage", path).status_code == 404
    assert cloud.admin.good("GET", "block-storage", path)["transfer"]["volume_id"] == made["id"]
    wrong = cloud.other("POST", "block-storage", f"{path}/accept", {"accept": {"auth_key": "wrong"}})
    assert wrong.status_code == 400
    key = {"accept": {"auth_key": transfer["auth_key"]}}
    accepted = cloud.other("POST", "block-storage", f"{path}/accept", key)
    undo(cloud.other, "block-storage", f"/v3/volumes/{made['id']}")
    assert accepted.status_code == 202
    assert accepted.json()["transfer"]["volume_id"] == made["id"]
    shown = eventually(
        lambda: cloud.other("GET", "block-storage", f"/v3/volumes/{made['id']}"),
        lambda seen: seen.status_code == 200 and seen.json()["volume"]["status"] == "available",
    )
    assert shown.json()["volume"]["user_id"] == cloud.other.user_id
    assert cloud.tenant("GET", "block-storage", f"/v3/volumes/{made['id']}").status_code == 404


def test_a_summary_of_volumes(cloud: Cloud, volume: Volume) -> None:
    volume(metadata={"colour": "red"})
    path = "/v3/volumes/summary"
    assert cloud.tenant("GET", "block-storage", path).status_code == 404
    old = cloud.tenant.good("GET", "block-storage", path, OpenStack_API_Version="volume 3.12")["volume-summary"]
    assert set(old) == {"total_count", "total_size"}
    assert old["total_count"] >= 1
    new = cloud.tenant.good("GET", "block-storage", path, OpenStack_API_Version="volume 3.36")["volume-summary"]
    assert "red" in new["metadata"]["colour"]
