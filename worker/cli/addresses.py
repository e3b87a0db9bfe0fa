"""Names the address that cannot be listened on, in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings
from worker.cli.refusal import Refused
from worker.console import ConsoleAddressTaken


@contextmanager
def named_addresses(settings: Settings) -> Iterator[None]:
    """Raises Refused where the block cannot listen on one of the settings' addresses."""
    try:
        yield
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
