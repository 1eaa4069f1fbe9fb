# SPDX-License-Identifier: Apache-2.0
"""``tricircle-manage pod lists``: which pods have been missing in lists and sums, and why?

The gateway counts it; its numbers are read where monitoring reads them, at the Admin API's address.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from tricircle.cmd.tabular import table
from tricircle.conf.settings import Settings
from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError
from tricircle.keystone.session import ServiceTokens
from tricircle.model.pod import Service
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call, Reply, Target

_WAIT_S = 10.0
_METRIC = "tricircle_lists_incomplete_total"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``lists`` to ``pod``."""
    lists = commands.add_parser(
        "lists", help="lists and sums that lacked what a pod holds, by pod, service and why, since the gateway started"
    )
    lists.add_argument("--json", action="store_true", help="for programs: all numbers as JSON")
    lists.set_defaults(run=_lists)


def _lists(settings: Settings, arguments: argparse.Namespace) -> int:
    found = sorted(counts(asyncio.run(_metrics(settings))))
    if arguments.json:
        keys = ("pod", "service", "reason", "count")
        sys.stdout.write(json.dumps([dict(zip(keys, row, strict=True)) for row in found], indent=2) + "\n")
    else:
        rows = [(*words, str(count)) for *words, count in found]
        sys.stdout.write(table(("POD", "SERVICE", "WHY", "LISTS"), rows))
    return 0


def counts(metrics: str) -> Iterator[tuple[str, str, str, int]]:
    """(pod, service, reason, how many) of a page of metrics."""
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == _METRIC and sample.value:
                labels = sample.labels
                yield labels["pod"], labels["door"], labels["reason"], int(sample.value)


async def _metrics(settings: Settings) -> str:
    """The gateway's numbers. :raises UnavailableError: no gateway listens there, or Keystone is away"""
    deadline = Deadline.after(_WAIT_S)
    tokens, pools = ServiceTokens(settings), Pools(settings.upstream)
    try:
        headers = [(b"x-auth-token", (await tokens.token(deadline)).encode()), (b"accept", b"text/plain")]
        target = Target("gateway", Service.COMPUTE, settings.gateway.admin_endpoint, "gateway")
        reply = await pools.send(target, Call(method="GET", path="/metrics", headers=headers), deadline)
    finally:
        tokens.close()
        await pools.close()
    return _text(reply, settings.gateway.admin_endpoint)


def _text(reply: Reply, endpoint: str) -> str:
    if reply.status != 200 or not isinstance(reply.body, bytes):
        raise BadUpstreamAnswerError(
            f"{endpoint}/metrics answers {reply.status}: is [gateway] admin_endpoint right, and has the service user "
            "a role that the rule admin_api:metrics lets in?"
        )
    return reply.body.decode()
