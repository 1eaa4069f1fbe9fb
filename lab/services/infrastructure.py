# SPDX-License-Identifier: Apache-2.0
"""Which processes do the services stand on: database, token cache, message bus?"""

from __future__ import annotations

import getpass
import json
from pathlib import Path

from lab import database, ini
from lab.service import PortOpen, Service
from lab.topology import HOST, PASSWORD, Lab

_RABBIT_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_EPMD = "epmd"


def services(lab: Lab) -> list[Service]:
    made = [database.mariadb(lab), _memcached(lab)]
    return [*made, _epmd(lab), _rabbitmq(lab)] if lab.rabbit_pods else made


def _memcached(lab: Lab) -> Service:
    port = lab.port("memcached")
    return Service(
        name="memcached",
        command=(
            "memcached",
            *("-u", getpass.getuser(), "-l", HOST, "-p", str(port)),
            *("-m", "64", "-t", "1", "-c", "4096"),
        ),
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        probe=PortOpen(port=port),
        nice=0,
        group="infrastructure",
    )


def _epmd(lab: Lab) -> Service:
    """Erlang's name server, in the foreground: RabbitMQ would leave one of its own behind."""
    return Service(
        name=_EPMD,
        command=(_EPMD, "-address", HOST, "-port", str(lab.port("epmd"))),
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(lab.var)},
        probe=PortOpen(port=lab.port("epmd")),
        nice=0,
        group="infrastructure",
    )


def _rabbitmq(lab: Lab) -> Service:
    """One broker with one virtual host for every pod that wants one, all from a definitions file."""
    home = lab.var / "rabbitmq"
    home.mkdir(parents=True, exist_ok=True)
    definitions = home / "definitions.json"
    hosts = [pod.name for pod in lab.rabbit_pods]
    rights = {"user": "lab", "configure": ".*", "write": ".*", "read": ".*"}
    ini.write(
        definitions,
        json.dumps(
            {
                "users": [{"name": "lab", "password": PASSWORD, "tags": "administrator"}],
                "vhosts": [{"name": name} for name in hosts],
                "permissions": [{"vhost": name, **rights} for name in hosts],
            }
        ),
    )
    settings = {
        "listeners.tcp.1": f"{HOST}:{lab.port('rabbitmq')}",
        "load_definitions": definitions,
        "vm_memory_high_watermark.absolute": "512MB",
        "disk_free_limit.absolute": "50MB",
        "log.console": "true",
        "log.console.level": "warning",
        "log.file": "false",
        "heartbeat": 60,
        "collect_statistics": "none",
        "queue_index_embed_msgs_below": 4096,
    }
    configuration = home / "rabbitmq.conf"
    ini.write(configuration, "".join(f"{name} = {value}\n" for name, value in settings.items()))
    plugins = home / "enabled_plugins"
    ini.write(plugins, "[].\n")
    return Service(
        name="rabbitmq",
        command=(_RABBIT_PROGRAM,),
        environment=_rabbitmq_environment(lab, home, configuration, plugins),
        probe=PortOpen(port=lab.port("rabbitmq")),
        files=(definitions, configuration),
        grace=20,
        nice=0,
        group="infrastructure",
    )


def _rabbitmq_environment(lab: Lab, home: Path, configuration: Path, plugins: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "RABBITMQ_NODENAME": "lab@localhost",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_DIST_PORT": str(lab.port("erlang")),
        "ERL_EPMD_PORT": str(lab.port("epmd")),
        "ERL_EPMD_ADDRESS": HOST,
        # One scheduler without busy waiting: the machine is small.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }
