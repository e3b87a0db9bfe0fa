"""`courier run`."""

import gc
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
from consumers.database_words import in_words
from consumers.observe import Trouble
from worker import logs, mongodb, store_checks, tracing
from worker.cli.addresses import named_addresses
from worker.cli.apps import single_command
from worker.cli.refusal import Refused
from worker.core import Core, open_core
from worker.outgoing import check_outgoing
from worker.risky_settings import risky_settings
from worker.service import Service
from worker.signals import StopSignals, stop_signals
from worker.supervisor import SUPERVISED, served_console, supervised_workers

DATABASE_SECONDS = 3.0
"""Longest single wait for the database at the start, so that Ctrl-C is heard."""
PAUSE_SECONDS = 1.0
ORPHAN_SECONDS = 1.0
YOUNG_OBJECTS = 20_000
"""So many more than before are looked at together; a list of accounts makes tens of thousands."""

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
    check_outgoing(settings)
    tracing.check_library(settings)
    store_checks.check_library(settings)
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
        _keep_what_is_loaded()
        workers.run(asked)
    _log().info("service_stopped")


def _work(core: Core, asked: StopSignals, *, console: bool, supervised: bool) -> None:
    if supervised:
        _end_with_the_supervisor(asked.stop)
    service = Service(core, console=console, health=not supervised)
    with named_addresses(core.settings):
        service.listen()
    if not (_database_is_there(core, asked.stop) and service.prepare(asked.stop)):
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
    _keep_what_is_loaded()
    while not asked.stop.wait(PAUSE_SECONDS):
        pass
    _log().info("service_stopping")
    service.stop(asked.hurry)
    _log().info("service_stopped")


def _keep_what_is_loaded() -> None:
    """What a start has made is used to the end: looking for garbage in it, again and again, takes
    a third of the time of a page that shows thousands of accounts."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def _end_with_the_supervisor(stop: threading.Event) -> None:
    """Ask to stop once the supervisor is gone, at any time from now on: a start may take hours."""
    supervisor = os.getppid()

    def look() -> None:
        while not stop.wait(ORPHAN_SECONDS):
            if os.getppid() != supervisor:
                stop.set()

    threading.Thread(target=look, name="supervisor", daemon=True).start()


def _database_is_there(core: Core, stop: threading.Event) -> bool:
    """Wait until MongoDB answers; False where the program was stopped before.

    Raises NoReplicaSet.
    """
    observe = logs.LogObserver()
    while not stop.is_set():
        try:
            with pymongo.timeout(DATABASE_SECONDS):
                mongodb.ask(core.database)
        except PyMongoError as error:
            if not mongodb.is_away(error):
                raise
            observe(Trouble("mongodb", f"waiting for it to answer: {in_words(error)}"))
        else:
            return True
        stop.wait(PAUSE_SECONDS)
    return False


def _shown(address: tuple[str, int] | None) -> str | None:
    return "{}:{}".format(*address) if address else None


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("courier")
    return log
