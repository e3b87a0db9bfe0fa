"""A platform that suspends soon and for a short time."""

import pytest

from tests.integration.platform import MakeCourier, Platform


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_after=2, suspend_seconds=1)
