"""A console over thirty accounts."""

from collections.abc import Iterator

import pytest

from tests.integration.console import Browser, Console, serving
from tests.integration.many_accounts import store_accounts
from tests.integration.platform import MakeCourier


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier()) as console:
        store_accounts(console.platform.core.database, 30)
        console.user("provider", None)
        console.user("tenant", "acc00000")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("provider")
