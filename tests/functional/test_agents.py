# SPDX-License-Identifier: Apache-2.0
"""Do the pods, which the centre shows as agents, come in pages and by filters, as a stock Neutron's agents do?"""

import os
from itertools import islice

import openstack
import pytest
from openstack.connection import Connection

from tests.functional.commands import shown
from tests.functional.region_world import ROOT, Region

pytestmark = [
    pytest.mark.lab,
    # The SDK warns about its own future.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

#: More than any lab has.
MANY = 50


def _connection() -> Connection:
    loader = openstack.config.OpenStackConfig(
        config_files=[os.fspath(ROOT / ".lab" / "clouds.yaml")], load_envvars=False
    )
    return Connection(config=loader.get_one(cloud="tricircle-admin"))


def test_a_client_that_follows_links_sees_each_pod_once(region: Region) -> None:
    hosts = {agent["host"] for agent in region.admin.list("network", "agents")}
    assert {"Pod1", "Pod2"} <= hosts
    with _connection() as stock:
        for limit in (1, 2):
            found = [agent.host for agent in islice(stock.network.agents(limit=limit), MANY)]
            assert sorted(found) == sorted(hosts)
        alive = {agent.host for agent in stock.network.agents(is_alive=True)}
        assert alive == {agent["host"] for agent in region.admin.list("network", "agents") if agent["alive"]}
        assert {"Pod1", "Pod2"} <= alive
        assert not alive & {agent.host for agent in stock.network.agents(is_alive=False)}
    assert {row["Host"] for row in shown("network", "agent", "list")} == hosts


@pytest.mark.parametrize(
    "query",
    [
        "limit=1",
        "limit=1&page_reverse=True",
        "limit=0",
        "limit=x",
        "alive=true",
        "alive=perhaps",
        "sort_key=host&sort_dir=asc",
        "sort_key=id&sort_dir=desc",
        "host=nobody",
        "host=nobody&host=Pod1",
        "fields=host&limit=1",
        "nonsense=1",
    ],
)
def test_questions_are_understood_as_by_a_stock_neutron(region: Region, query: str) -> None:
    ours, stock = (
        caller("GET", "network", f"/agents?{query}") for caller in (region.admin, region.pods["Pod1"])
    )  # fmt: skip
    assert ours.status_code == stock.status_code, (ours.text, stock.text)
    if stock.status_code == 200:
        assert sorted(ours.json()) == sorted(stock.json())
        keys = [{key for agent in answer.json()["agents"] for key in agent} for answer in (ours, stock)]
        if all(keys):
            assert keys[0] == keys[1]


def test_pages_go_in_both_directions(region: Region) -> None:
    everything = [agent["id"] for agent in region.admin.list("network", "agents", limit=MANY)]
    assert everything == sorted(everything)
    first, last = everything[0], everything[-1]
    behind = region.admin.list("network", "agents", limit=MANY, marker=first)
    assert [agent["id"] for agent in behind] == everything[1:]
    before = region.admin.list("network", "agents", limit=1, marker=last, page_reverse=True)
    assert [agent["id"] for agent in before] == everything[-2:-1]
    assert region.admin.list("network", "agents", limit=1, marker=last) == []
