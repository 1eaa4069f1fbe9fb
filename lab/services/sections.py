# SPDX-License-Identifier: Apache-2.0
"""Which sections of a configuration file are the same in every service?"""

from __future__ import annotations

from lab.ini import Section, Sections
from lab.topology import HOST, PASSWORD, Lab, Mode, Pod

QUIET = (
    "amqp=WARN,sqlalchemy=WARN,oslo.messaging=INFO,oslo_policy=WARN,urllib3=WARN,keystonemiddleware=WARN,stevedore=WARN"
)
DATABASE_USER = "lab"
#: What each service is called in access rules of application credentials: without a name it refuses such tokens.
_TYPES = {
    "nova": "compute",
    "neutron": "network",
    "cinder": "block-storage",
    "glance": "image",
    "placement": "placement",
}


def database_url(lab: Lab, schema: str, *, green: bool = False) -> str:
    """The address of a schema; `green` for a process under eventlet, which needs a driver in Python."""
    driver = "pymysql" if green else "mysqldb"
    return f"mysql+{driver}://{DATABASE_USER}:{PASSWORD}@localhost/{schema}?unix_socket={lab.socket}"


def database(lab: Lab, schema: str, *, green: bool = False) -> Section:
    return {
        "connection": database_url(lab, schema, green=green),
        "max_pool_size": 5,
        "max_overflow": 20,
        "max_retries": -1,
    }


def credentials(lab: Lab, user: str) -> Section:
    """How a service signs in as the service user of this name."""
    return {
        "auth_type": "password",
        "auth_url": lab.keystone,
        "username": user,
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


def transport_url(lab: Lab, pod: Pod | None) -> str:
    """The bus of a pod; the centre has no services to talk to and so no bus either."""
    if pod is not None and pod.mode is Mode.RABBIT:
        return f"rabbit://lab:{PASSWORD}@{HOST}:{lab.port('rabbitmq')}/{pod.name}"
    return "fake://"


def memcached(lab: Lab) -> str:
    return f"{HOST}:{lab.port('memcached')}"


def cache(lab: Lab) -> Section:
    return {
        "enabled": True,
        "backend": "dogpile.cache.memcached",
        "memcache_servers": memcached(lab),
    }


def fixed_key(project: str) -> Section:
    """A key manager without Barbican: one key for everything."""
    return {
        "backend": f"{project}.keymgr.conf_key_mgr.ConfKeyManager",
        "fixed_key": "0" * 64,
    }


def shared(lab: Lab, pod: Pod | None, user: str) -> Sections:
    """What stands in the file of every service that asks Keystone about its callers."""
    place = pod.name if pod else "central"
    return {
        "DEFAULT": {
            "transport_url": transport_url(lab, pod),
            "use_stderr": True,
            "rpc_response_timeout": 60 if pod else 10,
            "default_log_levels": QUIET,
        },
        "oslo_concurrency": {"lock_path": lab.var / place / "lock"},
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_messaging_rabbit": {
            "rabbit_interval_max": 2,
            "heartbeat_timeout_threshold": 60,
            "kombu_reconnect_delay": "0.1",
        },
        "oslo_policy": {"enforce_scope": True},
        "keystone_authtoken": {
            **credentials(lab, user),
            "service_type": _TYPES[user],
            "www_authenticate_uri": lab.keystone,
            "memcached_servers": memcached(lab),
            "token_cache_time": 600,
            "service_token_roles": "service",
            "service_token_roles_required": True,
        },
    }
