"""Settings that open more, or less, than the operator may mean: warned of, not refused."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from config.settings import CLOUD_METADATA, Settings
from transports.network.addresses import PRIVATE, reachable
from worker.core import egress


@dataclass(frozen=True)
class RiskySetting:
    """One such setting, and how to mend it."""

    name: str
    detail: str
    advice: str


def risky_settings(settings: Settings) -> Iterator[RiskySetting]:
    """Those of a process with these settings, under the user of this process."""
    yield from _files(settings)
    yield from _networks(settings)


def _files(settings: Settings) -> Iterator[RiskySetting]:
    if not settings.source_dirs:
        yield RiskySetting(
            "sources",
            "an event may name any file that this process can read",
            "set COURIER_SOURCE_DIRS to the folders of the recordings.",
        )
    if closed := [str(each) for each in settings.source_dirs if not _is_open(each)]:
        yield RiskySetting(
            "sources",
            f"no recording can be read from {', '.join(closed)}: not a folder that this user opens",
            "mount the folder, let this user into it, or correct COURIER_SOURCE_DIRS.",
        )
    for name, endpoint in _endpoints(settings):
        if endpoint.startswith("http://"):
            yield RiskySetting(
                "sources",
                f"recordings come from {endpoint} without TLS, for anybody to hear",
                f"begin {name} with https://, unless nobody else is on that network.",
            )
    if os.geteuid() == 0:
        yield RiskySetting(
            "user",
            "this process is root, which can read every file",
            "run it as a user of its own that can read the recordings and nothing else.",
        )


def _endpoints(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings of stores that are read, and the addresses in them."""
    if settings.s3_buckets:
        yield "COURIER_S3_ENDPOINT", settings.s3_endpoint or ""
    if settings.gs_buckets:
        yield "COURIER_GS_ENDPOINT", settings.gs_endpoint
    if settings.az_containers:
        has_all = settings.az_connection_string is not None
        name = "COURIER_AZ_CONNECTION_STRING" if has_all else "COURIER_AZ_ENDPOINT"
        yield name, settings.azure.resolved.url


def _is_open(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.X_OK)


def _networks(settings: Settings) -> Iterator[RiskySetting]:
    open_to = egress(settings)
    if private := reachable(PRIVATE, open_to):
        yield RiskySetting(
            "networks",
            f"accounts may name servers in private networks: {', '.join(map(str, private))}",
            "add them to COURIER_EGRESS_DENY, or name what may be reached in COURIER_EGRESS_ALLOW.",
        )
    metadata = [ip_network(part) for part in CLOUD_METADATA.split(",")]
    if found := reachable(metadata, open_to):
        yield RiskySetting(
            "metadata",
            f"clouds hand out credentials at addresses in {', '.join(map(str, found))}",
            "add them to COURIER_EGRESS_DENY, whose default has them.",
        )
