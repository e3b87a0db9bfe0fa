"""What was written to the log."""

import io
import json
import logging
from typing import Any


def fail(error: Exception) -> None:
    raise error


def written(stream: io.StringIO) -> str:
    for handler in logging.getLogger().handlers:
        handler.flush()
    return stream.getvalue()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(stream).splitlines()]
