"""Every query of every dashboard, by a real Prometheus that has scraped a real run."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from config.accounts import Protocol
from consumers.ledger import Result
from deploy.grafana.dashboards import FOLDER
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood
from tests.servers.prometheus import Prometheus

CANARY = "canary"
VARIABLES = {"$job": ".+", "$__rate_interval": "5m", "$__range": "1h"}
LIMIT = 120.0


class Asked(NamedTuple):
    """A query of a panel."""

    where: str
    expr: str
    legend: str
    colours: frozenset[str]
    """The names of series that have a colour on the panel."""


def queries() -> Iterator[Asked]:
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            overrides = panel.get("fieldConfig", {}).get("overrides", [])
            colours = frozenset(each["matcher"]["options"] for each in overrides)
            for target in panel.get("targets", []):
                where = f"{path.name}, {panel['title']}"
                yield Asked(where, target["expr"], target.get("legendFormat", ""), colours)


def filled_in(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def legend(template: str, series: dict[str, Any]) -> str:
    """What Grafana calls a series."""
    labels: dict[str, str] = series["metric"]
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template)


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(
        canary_account=CANARY, suspend_after=2, suspend_seconds=1, retry_delays=(0.0,), max_tries=3
    )


def test_every_query_of_every_panel_gives_data_of_a_real_run(
    courier: Platform,
    customer: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    mood: Mood,
    tmp_path: Path,
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=("it@acme.example",))
    courier.account(CANARY, pyftpd_server.customer, Protocol.FTP)
    with running(courier) as service:
        assert service.health_address is not None
        target = ":".join(map(str, service.health_address))
        with Prometheus(tmp_path / "prometheus", [target]) as prometheus:
            until(lambda: prometheus.query("courier_events_total"), "a first scrape", LIMIT)
            live(courier, mood)
            until(lambda: not empty(prometheus), lambda: told(prometheus), LIMIT)
            assert not unpainted(prometheus)
            found = prometheus.ask("label/job/values", **{"match[]": "courier_build_info"})
            assert found == ["courier"]


def live(courier: Platform, mood: Mood) -> None:
    """Deliveries, a suspension with its recovery, a dead letter, the canary."""
    for recording_id in courier.publish_many("acme", ["one.wav", "two.wav"]):
        courier.wait_status(recording_id, "delivered")
    mood.read_only = True
    (late,) = courier.publish_many("acme", ["late.wav"])
    courier.wait_state("acme", "suspended")
    mood.read_only = False
    courier.wait_status(late, "delivered")
    gone = courier.publish("acme", courier.folder / "nowhere.wav")
    courier.wait_status(gone, "dead_lettered")
    canary = courier.core.ledger.canary
    until(lambda: canary.status(CANARY).result is Result.OK, "the canary to arrive", LIMIT)


def empty(prometheus: Prometheus) -> list[Asked]:
    """Queries that give nothing, or nothing that is a number."""
    return [
        each
        for each in queries()
        if all(
            math.isnan(float(series["value"][1]))
            for series in prometheus.query(filled_in(each.expr))
        )
    ]


def told(prometheus: Prometheus) -> str:
    return "data for\n" + "\n".join(f"{each.where}: {each.expr}" for each in empty(prometheus))


def unpainted(prometheus: Prometheus) -> set[tuple[str, str]]:
    """Names with a colour that no series of their panel has."""
    names: dict[tuple[str, frozenset[str]], set[str]] = {}
    for each in queries():
        found = {legend(each.legend, series) for series in prometheus.query(filled_in(each.expr))}
        names.setdefault((each.where, each.colours), set()).update(found)
    return {(where, name) for (where, colours), found in names.items() for name in colours - found}
