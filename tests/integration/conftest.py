"""The platform of an integration test, with whatever settings it asks for."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.local.customers import SmtpSink
from tests.integration.platform import MakeCourier, Platform, platform, settings_for


@pytest.fixture
def make_courier(
    amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[MakeCourier]:
    """The platform of this test; what is named differs from the default settings."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Platform:
            settings = settings_for(amqp_url, mongodb_url, smtp_sink.url, **changes)
            return stack.enter_context(platform(settings, tmp_path / "recordings"))

        yield make
