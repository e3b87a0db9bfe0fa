"""An account's name, place, settings and end, on its page."""

from collections.abc import Iterator

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier

PAGE = "/accounts/acme/account"


@pytest.fixture
def console(make_courier: MakeCourier, asyncssh_server: AsyncSshServer) -> Iterator[Console]:
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    courier.core.directory.create("reseller", ftp_access=True)
    with serving(courier) as console:
        console.user("provider", None)
        console.user("admin", "acme")
        yield console


def test_an_account_is_renamed_by_its_own_people_and_moved_by_the_provider(
    console: Console,
) -> None:
    own, provider = console.browser("admin"), console.browser("provider")
    assert "called Acme &lt;b&gt; now" in own.notice(f"{PAGE}/name", name="Acme <b>")
    assert own.send_form(f"{PAGE}/place", parent="reseller").status_code == 403
    assert "Place" not in own.get(PAGE).text
    assert "beneath reseller now" in provider.notice(f"{PAGE}/place", parent="reseller")
    assert "nobody" in provider.notice(f"{PAGE}/place", parent="nobody")
    assert "beneath it:" in provider.notice("/accounts/reseller/account/place", parent="acme")
    assert "at the top now" in provider.notice(f"{PAGE}/place", parent=" ")
    assert console.platform.core.directory.get("acme").name == "Acme <b>"
    assert console.actions("acme") == ["account.moved", "account.moved", "account.renamed"]
    assert "Name must have at most 100 characters" in own.notice(f"{PAGE}/name", name="x" * 101)
    assert own.send_form(f"{PAGE}/name", name="x" * 100_000).status_code in {303, 413}
    assert console.platform.core.directory.get("acme").name == "Acme <b>"


def test_settings_are_forgotten_and_the_account_removed_only_once_its_id_is_typed(
    console: Console,
) -> None:
    own, provider = console.browser("admin"), console.browser("provider")
    assert "type acme to confirm" in own.notice(f"{PAGE}/settings", confirm="yes")
    assert console.settings("acme") is not None
    assert "forgotten" in own.notice(f"{PAGE}/settings", confirm="acme")
    assert console.settings("acme") is None
    assert "Forget" not in own.get(PAGE).text

    assert own.send_form(f"{PAGE}/removal", confirm="acme").status_code == 403
    assert "type acme to confirm" in provider.notice(f"{PAGE}/removal", confirm="reseller")
    assert "acme was removed" in provider.notice(f"{PAGE}/removal", confirm="acme")
    assert provider.get(PAGE).status_code == 404
    assert console.actions("acme")[:2] == ["account.removed", "settings.removed"]


def test_a_number_is_stored_in_e164_and_a_short_code_only_where_it_is_meant(
    console: Console,
) -> None:
    provider, page = console.browser("provider"), "/accounts/acme/numbers"
    told = provider.notice(page, number="+44 (0)1632 960001", method="ftp")
    assert told == "Recordings of +441632960001 go by FTP."
    assert "no country code" in provider.notice(page, number="84433", method="ftp")
    meant = provider.notice(page, number="84433", method="ftp", allow_short="yes")
    assert meant == "Recordings of 84433 go by FTP."

    api = console.program(None)
    refused = api.put("/accounts/acme/numbers/100", json={"method": "ftp"})
    assert refused.status_code == 422
    taken = api.put("/accounts/acme/numbers/100", json={"method": "ftp", "allow_short": True})
    assert (taken.status_code, taken.json()["number"]) == (200, "100")
