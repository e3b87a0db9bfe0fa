"""`courier run`."""

import threading
from typing import Annotated

import pymongo
import structlog
import typer
from pymongo.errors import PyMongoError

from config.settings import Settings, load_settings
from consumers.observe import Trouble
from worker import logs, mongodb
from worker.cli.apps import single_command
from worker.cli.refusal import Refused
from worker.console import ConsoleAddressTaken
from worker.core import Core, open_core
from worker.service import Service, stop_signals

DATABASE_SECONDS = 3.0
"""Longest single wait for the database at the start, so that Ctrl-C is heard."""
PAUSE_SECONDS = 1.0

app = single_command()


@app.command()
def run(
    *,
    processes: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    no_console: Annotated[
        bool, typer.Option("--no-console", help="Do not serve the web console.")
    ] = False,
) -> None:
    """Deliver recordings until Ctrl-C or SIGTERM.

    Starts without RabbitMQ and MongoDB too, and begins to work once they are there.
    """
    if processes > 1:
        raise Refused("More than one process is not possible yet: leave --processes out.")
    settings = load_settings()
    logs.configure(settings.log_format)
    with stop_signals() as stop, open_core(settings) as core:
        service = _made_once_possible(core, stop, console=not no_console)
        if service is not None:
            _serve(service, settings, stop)


def _serve(service: Service, settings: Settings, stop: threading.Event) -> None:
    log = structlog.stdlib.get_logger("courier")
    try:
        service.start()
    except ConsoleAddressTaken as error:
        raise Refused(
            f"The console's address {settings.console_bind} cannot be used ({error.strerror}): "
            "stop what listens there, set COURIER_CONSOLE_BIND to another, or give --no-console."
        ) from None
    except OSError as error:
        raise Refused(
            f"The metrics address {settings.metrics_bind} cannot be used ({error.strerror}): "
            "stop what listens there, or set COURIER_METRICS_BIND to another."
        ) from None
    console = service.console_address
    log.info(
        "service_started",
        metrics="{}:{}".format(*service.health_address),
        console="{}:{}".format(*console) if console else None,
    )
    stop.wait()
    log.info("service_stopping")
    service.stop()
    log.info("service_stopped")


def _made_once_possible(core: Core, stop: threading.Event, *, console: bool) -> Service | None:
    """The service, as soon as MongoDB answers; None where it was stopped before."""
    observe = logs.LogObserver()
    told = ""
    while not stop.is_set():
        try:
            with pymongo.timeout(DATABASE_SECONDS):
                core.database.command("ping")
            return Service(core, console=console)
        except PyMongoError as error:
            if not mongodb.is_away(error):
                raise
            words = f"waiting for it to answer: {mongodb.in_words(error)}"
        if words != told:
            observe(Trouble("mongodb", words))
            told = words
        stop.wait(PAUSE_SECONDS)
    return None
