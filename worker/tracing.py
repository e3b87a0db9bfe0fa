"""Loads OpenTelemetry and makes spans only where a collector is set."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from config.errors import SettingsError
from config.settings import Settings
from consumers.observe import Observer

if TYPE_CHECKING:
    from worker.spans import Spans

_MISSING = (
    "COURIER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: install "
    "'courier[tracing]', or remove the setting."
)
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.common")


def check_library(settings: Settings) -> None:
    """Raises SettingsError where a collector is set and OpenTelemetry is missing."""
    if settings.otlp_endpoint is not None and not all(map(_is_there, _NEEDED)):
        raise SettingsError([_MISSING])


def spans_of(settings: Settings, worker: str, observe: Observer) -> "Spans | None":
    """The spans of this process; None where no collector is set."""
    if settings.otlp_endpoint is None:
        return None
    from worker.spans import Spans  # noqa: PLC0415 - OpenTelemetry is loaded only where it is used

    return Spans(settings.otlp_endpoint, settings.trust, worker, observe)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False
