# SPDX-License-Identifier: Apache-2.0
"""What are the settings of a process, as frozen records?

Field names are the option names of ``options.py``; units stand in the names. Nothing here is read again after the
start.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config import cfg


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Section ``[database]``."""

    connection: str = field(repr=False)
    pool_size: int = 5
    max_overflow: int = 10
    pool_timeout_s: float = 5.0
    recycle_s: int = 1800
    connect_timeout_s: float = 5.0
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Section ``[gateway]``. Endpoints have no trailing slash."""

    host: str = "127.0.0.1"
    port: int = 20080
    admin_host: str = "127.0.0.1"
    admin_port: int = 19999
    open_metrics: bool = False
    workers: int = 1
    public_endpoint: str = "http://127.0.0.1:20080"
    admin_endpoint: str = "http://127.0.0.1:19999"
    central_region: str = "RegionOne"
    admin_role: str = "admin"
    older_pods: str = "lower"
    body_limit: int = 114688
    head_timeout_s: float = 30.0
    request_deadline_s: float = 60.0
    list_deadline_s: float = 5.0
    boot_deadline_s: float = 120.0
    settle_margin_s: float = 60.0
    stop_timeout_s: float = 30.0
    backlog: int = 1024
    tls_certificate: str = ""
    tls_key: str = ""
    token_cache_s: float = 30.0
    token_cache_size: int = 10000
    token_threads: int = 8

    @property
    def in_flight_s(self) -> float:
        """Seconds after which no request is under way any more that began before."""
        return max(self.boot_deadline_s, self.request_deadline_s) + self.settle_margin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSettings:
    """Section ``[central]``: roots of the central services, without version, no trailing slash."""

    compute_url: str
    block_storage_url: str
    image_url: str
    network_url: str
    identity_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Section ``[upstream]``."""

    connect_timeout_s: float = 3.0
    connections_per_target: int = 64
    idle_s: float = 4.0
    stream_idle_s: float = 60.0
    interface: str = "public"
    ca_file: str = ""
    insecure: bool = False
    breaker_failures: int = 3
    breaker_probe_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkingSettings:
    """Section ``[networking]``."""

    rules_per_remote_group: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Section ``[worker]``."""

    concurrency: int = 16
    per_pod: int = 8
    lease_s: float = 30.0
    poll_s: float = 0.5
    job_deadline_s: float = 120.0
    call_deadline_s: float = 60.0
    max_attempts: int = 20
    retry_s: float = 1.0
    retry_max_s: float = 300.0
    sweep_interval_s: float = 900.0
    sweep_deadline_s: float = 3600.0
    image_deadline_s: float = 21600.0
    stop_timeout_s: float = 30.0
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Section ``[console]``. Endpoints have no trailing slash."""

    host: str = "127.0.0.1"
    port: int = 20079
    public_endpoint: str = "http://127.0.0.1:20079"
    spice_direct_endpoint: str = ""
    allowed_origins: tuple[str, ...] = field(default_factory=tuple)
    token_ttl_s: float = 600.0
    token_uses: int = 0
    sessions: int = 1000
    sessions_per_user: int = 32
    session_limit_s: float = 0.0
    open_timeout_s: float = 15.0
    ping_s: float = 20.0
    tls_certificate: str = ""
    tls_key: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the operator decided.

    :ivar raw: the parsed options themselves, for the libraries that read their own sections (``keystone_authtoken``,
        ``service_user``, ``oslo_policy``, logs); rooms of ours never look into it
    """

    database: DatabaseSettings
    gateway: GatewaySettings
    central: CentralSettings
    upstream: UpstreamSettings
    networking: NetworkingSettings = field(default_factory=NetworkingSettings)
    worker: WorkerSettings
    console: ConsoleSettings
    raw: "cfg.ConfigOpts" = field(repr=False)
