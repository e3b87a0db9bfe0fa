"""A real Prometheus that scrapes a real run, with the rules' times shortened by one factor."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.local.processes import free_port
from deploy.prometheus.runbook import RULES
from tests.faults.scene import Scene, Worker
from tests.integration.platform import until
from tests.servers.prometheus import Prometheus

FACTOR = 60
"""A minute of the rules is a second."""
LIMIT = 150.0
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=for: )(\d+)([smhd])$", re.MULTILINE)
_MINUTES = re.compile(r"(?<= \* )60\b")
QUICK = {
    "worker.gauges:CACHE_SECONDS": 0.2,
    "worker.gauges:WAIT_SECONDS": 0.3,
    "worker.gauges:LATE_SECONDS": 3.0,
    "worker.metrics:FRESH_SECONDS": 3.0,
}
"""The program's own times for the metrics, as short."""


def scaled(rules: str, factor: float) -> str:
    """The rules with every range, every `for` and every limit in minutes (`* 60`) so much shorter.

    Names of recorded series keep the range that they are named for.
    """

    def shorter(found: re.Match[str]) -> str:
        number, unit = found[1] or found[3], found[2] or found[4]
        return f"{max(1, round(1000 * int(number) * _UNITS[unit] / factor))}ms"

    return _MINUTES.sub(f"{60 / factor:g}", _DURATION.sub(shorter, rules))


@dataclass
class Watch:
    """What Prometheus sees of one worker, and which alerts it has."""

    ground: Scene
    tell: Callable[[str], None]
    """Is told how each alert fired and ended."""
    target: int
    prometheus: Prometheus
    _fired: dict[str, str] = field(default_factory=dict)
    _begun: float = 0.0

    def start(
        self,
        *points: Any,
        constants: dict[str, float] | None = None,
        is_well: bool = True,
        **more: Any,
    ) -> Worker:
        """A worker that is scraped, once it is at work and no alert fires (`is_well`)."""
        worker = self.ground.start(
            *points,
            constants={**QUICK, **(constants or {})},
            metrics_bind=f"127.0.0.1:{self.target}",
            **more,
        )
        self.wait_scraped()
        if is_well:
            until(lambda: not self.firing(), lambda: f"no alert but {self.firing()}", LIMIT)
        return worker

    def wait_scraped(self) -> None:
        """Wait until the worker that is there is at work, and Prometheus knows it."""
        until(lambda: self.value("courier:workers_at_work:sum"), "a worker to be scraped", LIMIT)

    def strike(self) -> None:
        """The fault begins now, or has been mended now."""
        self._begun = time.monotonic()

    def wait_firing(self, *alerts: str) -> None:
        """Wait until all of these fire; others may, too."""
        until(
            lambda: {*alerts} <= self.firing(),
            lambda: f"{alerts} to fire; there are {self.firing()}",
            LIMIT,
        )
        for alert in alerts:
            self._fired[alert] = self._elapsed()
        self.strike()

    def wait_ended(self, *alerts: str) -> None:
        """Wait until none of these fires any more."""
        until(
            lambda: not {*alerts} & self.firing(),
            lambda: f"{alerts} to end; there are {self.firing()}",
            LIMIT,
        )
        for alert in alerts:
            self.tell(f"{alert}: {self._fired[alert]} {self._elapsed()}")

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = self.prometheus.ask("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def value(self, series: str) -> float | None:
        """The value of a series without labels; None where there is none."""
        found = self.prometheus.query(series)
        return float(found[0]["value"][1]) if found else None

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._begun:.0f} s"


@contextmanager
def watching(ground: Scene, tell: Callable[[str], None], factor: float = FACTOR) -> Iterator[Watch]:
    """Prometheus with the shortened rules, ready to scrape; ended on exit."""
    folder = ground.folder / "rules"
    folder.mkdir()
    rules = [folder / file.name for file in RULES.glob("*.yaml")]
    for file in rules:
        file.write_text(scaled((RULES / file.name).read_text(), factor))
    target = free_port()
    with Prometheus(ground.folder / "prometheus", [f"127.0.0.1:{target}"], rules) as prometheus:
        yield Watch(ground, tell, target, prometheus)
