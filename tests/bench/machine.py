"""On what it was measured: without a host's name, and without a path."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pika
from pymongo import MongoClient

from deploy.local.install import program
from deploy.local.services import Services
from tests.bench import fed, peers


@dataclass(frozen=True)
class Machine:
    """What a reader needs to judge the figures."""

    day: str
    hardware: str
    versions: str
    load: str = ""
    """What else it was doing before."""


def machine(services: Services, load: str) -> Machine:
    """This one, what runs on it, and its load before that was started."""
    found = {
        "Python": platform.python_version(),
        "paramiko": version("paramiko"),
        "pika": version("pika"),
        "kombu": version("kombu"),
        "pymongo": version("pymongo"),
        "RabbitMQ": _rabbitmq(services.amqp_url),
        "MongoDB": _mongodb(services.mongodb_url),
        **peers.versions(),
        **fed.versions(),
        "vsftpd": _vsftpd(),
    }
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    return Machine(
        datetime.now(UTC).strftime("%Y-%m-%d"),
        f"{os.cpu_count()} cores of {_processor()} with {_gigabytes():.0f} GB of memory",
        told,
        load,
    )


def load_average() -> str:
    """What the machine does now, in words: a busy one measures itself."""
    minute, _, quarter = os.getloadavg()
    return (
        f"Its load average was {minute:.2f} in the minute before, and {quarter:.2f} in the quarter "
        "of an hour before."
    )


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"an {match[1]}" if match else platform.machine()


def _gigabytes() -> float:
    match = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 / 1e9 if match else 0.0


def _rabbitmq(amqp_url: str) -> str:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        return str(connection._impl.server_properties["version"])
    finally:
        connection.close()


def _mongodb(url: str) -> str:
    with MongoClient[dict[str, Any]](url) as client:
        return str(client.server_info()["version"])


def _vsftpd() -> str:
    path = program("vsftpd")
    assert path is not None
    reading, writing = os.pipe()
    with os.fdopen(reading) as told:
        # It says its version on the descriptor that others read from.
        subprocess.run([path, "-v"], stdin=writing, check=False)
        os.close(writing)
        match = re.search(r"\d+\.\d+\.\d+", told.read())
    return match[0] if match else "unknown"
