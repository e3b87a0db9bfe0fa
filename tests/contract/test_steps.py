"""Whoever hears of the steps may end them: nothing of the connection is left then."""

import pytest
from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.contract.accounts import LIMITS, settings_of
from tests.contract.conftest import leaving_nothing
from transports.backends import connect
from transports.base import Egress

STEPS = {
    Protocol.FTP: ("resolved", "connected", "logged in"),
    Protocol.SFTP: ("resolved", "connected", "host key", "logged in"),
}


class GivenUp(Exception):
    """No error of a server."""


def test_a_step_that_is_not_wanted_leaves_no_connection(customer: CustomerServer) -> None:
    settings = settings_of(customer)
    for last in STEPS[settings.protocol]:
        heard: list[str] = []

        def give_up(name: str, _detail: str, heard: list[str] = heard, last: str = last) -> None:
            heard.append(name)
            if name == last:
                raise GivenUp

        # What was raised is kept, so that nothing is closed only by being forgotten.
        with leaving_nothing(), pytest.raises(GivenUp) as given_up:
            connect(settings, SecretStr(customer.password), LIMITS, Egress(), on_step=give_up)
        assert (heard[-1], given_up.type) == (last, GivenUp)
