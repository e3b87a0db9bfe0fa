"""The log, configured for a test and as it was afterwards."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker.logs import configure


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, transport = logging.getLogger(), logging.getLogger("paramiko.transport")
    handlers, level, transport_level = list(root.handlers), root.level, transport.level
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    transport.setLevel(transport_level)
    structlog.configure(**configured)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure("json", stream)
    return stream
