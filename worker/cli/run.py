"""`courier run`."""

import os
import threading
from contextlib import ExitStack
from typing import Annotated

import pymongo
import structlog
import typer
from pymongo.errors import PyMongoError

from config.settings import Settings, load_settings
from consumers.amqp.connection import HEARTBEAT
from consumers.observe import Trouble
from worker import logs, mongodb, tracing
from worker.cli.addresses import named_addresses
from worker.cli.apps import single_command
from worker.cli.refusal import Refused
from worker.core import Core, open_core
from worker.risky_settings import risky_settings
from worker.service import Service
from worker.signals import StopSignals, stop_signals
from worker.supervisor import SUPERVISED, served_console, supervised_workers

DATABASE_SECONDS = 3.0
"""Longest single wait for the database at the start, so that Ctrl-C is heard."""
PAUSE_SECONDS = 1.0
ORPHAN_SECONDS = 1.0

app = single_command()


@app.command()
def run(
    *,
    processes: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    no_console: Annotated[
        bool, typer.Option("--no-console", help="Do not serve the web console.")
    ] = False,
    supervised: Annotated[bool, typer.Option(SUPERVISED, hidden=True)] = False,
) -> None:
    """Deliver recordings until Ctrl-C or SIGTERM.

    Starts without RabbitMQ and MongoDB too, and begins to work once they are there: until then
    /readyz tells what it waits for.
    """
    settings = load_settings()
    _refuse_short_leases(settings)
    tracing.check_library(settings)
    logs.configure(settings.log_format)
    with stop_signals() as asked, open_core(settings) as core:
        if processes > 1:
            _supervise(core, processes, asked, console=not no_console)
        else:
            _work(core, asked, console=not no_console, supervised=supervised)


def _refuse_short_leases(settings: Settings) -> None:
    """Refuse leases that end before RabbitMQ has given a dead worker's messages back."""
    if settings.lease_seconds <= HEARTBEAT:
        raise Refused(
            f"COURIER_LEASE_SECONDS must be more than {HEARTBEAT}: only after that time "
            "does RabbitMQ notice that a worker has fallen silent."
        )


def _warn(settings: Settings) -> None:
    """Say once what is open to more than may be meant; `courier check` tells the same."""
    for each in risky_settings(settings):
        _log().warning("exposed", what=each.name, detail=each.detail, advice=each.advice)


def _supervise(core: Core, processes: int, asked: StopSignals, *, console: bool) -> None:
    with ExitStack() as stack:
        with named_addresses(core.settings):
            workers = stack.enter_context(supervised_workers(core, processes))
        if not _database_is_there(core, asked.stop):
            return
        with named_addresses(core.settings):
            if console:
                stack.enter_context(served_console(core))
        _log().info("service_started", processes=processes, metrics=core.settings.metrics_bind)
        _warn(core.settings)
        workers.run(asked)
    _log().info("service_stopped")


def _work(core: Core, asked: StopSignals, *, console: bool, supervised: bool) -> None:
    service = Service(core, console=console, health=not supervised)
    with named_addresses(core.settings):
        service.listen()
    if not _database_is_there(core, asked.stop):
        service.stop(asked.hurry)
        return
    with named_addresses(core.settings):
        service.start()
    _log().info(
        "service_started",
        metrics=_shown(service.health_address),
        console=_shown(service.console_address),
    )
    if not supervised:
        _warn(core.settings)
    _wait(asked.stop, supervised=supervised)
    _log().info("service_stopping")
    service.stop(asked.hurry)
    _log().info("service_stopped")


def _wait(stop: threading.Event, *, supervised: bool) -> None:
    """Wait until the program is asked to stop, or its supervisor is gone."""
    supervisor = os.getppid()
    while not stop.wait(ORPHAN_SECONDS):
        if supervised and os.getppid() != supervisor:
            return


def _database_is_there(core: Core, stop: threading.Event) -> bool:
    """Wait until MongoDB answers; False where the program was stopped before.

    Raises NoReplicaSet.
    """
    observe = logs.LogObserver()
    told = ""
    while not stop.is_set():
        try:
            with pymongo.timeout(DATABASE_SECONDS):
                mongodb.ask(core.database)
        except PyMongoError as error:
            if not mongodb.is_away(error):
                raise
            words = f"waiting for it to answer: {mongodb.in_words(error)}"
        else:
            return True
        if words != told:
            observe(Trouble("mongodb", words))
            told = words
        stop.wait(PAUSE_SECONDS)
    return False


def _shown(address: tuple[str, int] | None) -> str | None:
    return "{}:{}".format(*address) if address else None


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("courier")
    return log
