"""Whether spans are sent: only then is OpenTelemetry loaded, and only then are they made."""

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
    """Raises SettingsError where spans are to be sent and cannot be made."""
    if settings.otlp_endpoint is not None and not all(map(_is_there, _NEEDED)):
        raise SettingsError([_MISSING])


def spans_of(settings: Settings, worker: str, observe: Observer) -> "Spans | None":
    """What makes and sends the spans of this process; None where none are wanted."""
    if settings.otlp_endpoint is None:
        return None
    from worker.spans import Spans  # noqa: PLC0415 - OpenTelemetry is loaded only where it is used

    return Spans(settings.otlp_endpoint, settings.trust, worker, observe)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False
