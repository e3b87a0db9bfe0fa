"""Whether there is still something to send of a recording."""

from transports.base import Limits
from transports.errors import SourceMissing, TransferError
from transports.sources.source import open_source
from worker.core import Core, egress, stores


def is_gone(core: Core, url: str) -> bool:
    """Whether the source is gone, as seen from here; what is only away at this moment is not."""
    settings = core.settings
    try:
        with open_source(
            url,
            dirs=settings.source_dirs,
            max_bytes=settings.max_source_bytes,
            egress=egress(settings),
            limits=Limits(),
            stores=stores(settings),
        ):
            return False
    except SourceMissing:
        return True
    except TransferError:
        return False
