"""The charts over a service that delivers, and one customer's server that is away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.console import LIMIT, serving
from tests.integration.platform import MakeCourier, running, until
from worker import service
from worker.core import open_messaging


def test_what_was_delivered_and_what_failed_is_drawn(
    make_courier: MakeCourier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HISTORY_SECONDS", 0.2)
    courier = make_courier(suspend_after=2, suspend_seconds=600, retry_delays=(0.0,))
    servers = {}
    for account_id in ("acme", "away"):
        (tmp_path / account_id).mkdir()
        servers[account_id] = AsyncSshServer(tmp_path / account_id)
        with servers[account_id]:
            courier.account(account_id, servers[account_id].customer, Protocol.SFTP)
    with running(courier), serving(courier) as console:
        recording_id = courier.publish("away", courier.recording("late.wav"))
        courier.wait_state("away", "suspended")
        with servers["acme"]:
            found = courier.publish("acme", courier.recording("one.wav"))
            courier.wait_status(found, "delivered")
        assert courier.row(recording_id)["status"] == "queued"
        provider, own = console.program(None), console.program("acme")

        def last(of: str) -> dict[str, object]:
            answer = provider.get(of, params={"span": "hours"})
            assert answer.status_code == 200, answer.text
            point: dict[str, object] = answer.json()[-1]
            return point

        until(lambda: last("/accounts/acme/history")["delivered"], "the sums", LIMIT)
        assert last("/history")["failed"] == {"customer": 2}
        assert last("/accounts/away/history")["suspensions"] == 1
        assert last("/accounts/acme/history")["failed"] == {}
        with servers["acme"]:
            old = {"created_at": datetime.now(UTC) - timedelta(days=1)}
            courier.core.database["deliveries"].update_one({"_id": found}, {"$set": old})
            with open_messaging(courier.core, lambda _: None) as messaging:
                assert messaging.redelivery.again(found, 0)
            until(lambda: last("/accounts/acme/history")["delivered"] == 2, "both", LIMIT)
        assert cast("float", last("/accounts/acme/history")["oldest_seconds"]) < 3600
        assert len(provider.get("/history", params={"span": "weeks"}).json()) == 91
        assert provider.get("/history", params={"span": "years"}).status_code == 422
        assert own.get("/accounts/acme/history").status_code == 200
        assert own.get("/history").status_code == 403
        assert own.get("/accounts/away/history").status_code == 404

        console.user("admin", None)
        console.user("customer", "acme")
        browser, visitor = console.browser("admin"), console.browser("customer")
        for span in ("hours", "weeks"):
            page = browser.get("/charts", params={"span": span}).text
            assert ": 2 delivered</title>" in page
            assert ": 2 the customer&#39;s server</title>" in page
            assert page.count("The scale is logarithmic.") == 2
        refused = browser.get("/charts", params={"span": "x" * 5000})
        assert refused.status_code == 422
        assert "must be hours or weeks." in refused.text
        assert "Skipped files" in visitor.get("/accounts/acme/charts").text
        assert visitor.get("/charts").status_code == 403
        assert visitor.get("/accounts/away/charts").status_code == 404
