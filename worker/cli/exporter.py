"""`courier exporter`."""

import pymongo
import structlog
from pymongo.errors import PyMongoError

from config.settings import load_settings
from worker import logs, mongodb
from worker.cli.addresses import named_addresses
from worker.cli.apps import single_command
from worker.core import Core, open_core
from worker.gauges import PlatformGauges
from worker.health import HealthServer
from worker.metrics import ExporterMetrics
from worker.readiness import ASK_SECONDS, Phase
from worker.signals import stop_signals

app = single_command()


@app.command()
def exporter() -> None:
    """Serve the platform's metrics without doing any of its work, until Ctrl-C or SIGTERM.

    What waits and what is due is read from MongoDB, the events at hand from RabbitMQ: an autoscaler
    has its numbers while no worker runs. **/metrics**, **/healthz** and **/readyz** are answered on
    **COURIER_METRICS_BIND**, also while MongoDB and RabbitMQ are away.
    """
    settings = load_settings()
    logs.configure(settings.log_format)
    log = structlog.stdlib.get_logger("courier")
    with stop_signals() as asked, open_core(settings) as core:
        server = _server(core)
        with named_addresses(settings):
            server.start()
        log.info("exporter_started", metrics=settings.metrics_bind)
        asked.stop.wait()
        server.stop()
    log.info("exporter_stopped")


def _server(core: Core) -> HealthServer:
    return HealthServer(
        core.settings.metrics_bind,
        metrics=ExporterMetrics(PlatformGauges.of(core)).scrape,
        live={},
        ready={"mongodb": lambda: _mongodb(core)},
        state=Phase().told,
    )


def _mongodb(core: Core) -> str | None:
    try:
        with pymongo.timeout(ASK_SECONDS):
            core.database.command("ping")
    except PyMongoError as error:
        return mongodb.sentence(error)
    return None
