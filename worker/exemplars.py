"""The trace of a recording for each bucket of a histogram, across processes.

prometheus_client keeps no exemplars where several processes are summed. So each process writes its
exemplars into a file beside its counts, whole or not at all, and the sum of the counts takes them
from there.
"""

import json
import math
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import Exemplar, Metric
from prometheus_client.utils import floatToGoString

LABEL = "trace_id"
_PATTERN = "exemplars_*.json"


def labels_of(trace_id: str) -> dict[str, str]:
    """What an exemplar says of a recording."""
    return {LABEL: trace_id}


class Series:
    """One series of a histogram, to find its buckets by name."""

    def __init__(self, name: str, bounds: Sequence[float], **labels: str) -> None:
        self._name, self._labels = name, labels
        self._bounds = [*bounds, math.inf]
        self._bound_names = [*map(floatToGoString, self._bounds)]

    def bucket(self, value: float) -> str:
        """The key of the bucket that the value is counted in."""
        bound = self._bound_names[bisect_left(self._bounds, value)]
        return _key(f"{self._name}_bucket", {**self._labels, "le": bound})


class Exemplars:
    """The last exemplar of each bucket of this process. Callable from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._last: dict[str, tuple[str, float, float]] = {}
        self._is_written = True

    def note(self, series: Series, value: float, trace_id: str) -> None:
        """The recording of this trace was counted with this value."""
        with self._lock:
            self._last[series.bucket(value)] = (trace_id, value, time.time())
            self._is_written = False

    def write(self) -> None:
        """Write the exemplars to this process's file, where there are new ones."""
        with self._lock:
            if self._is_written:
                return
            text, self._is_written = json.dumps(self._last), True
        aside = self._folder / f"exemplars.{os.getpid()}.new"
        aside.write_text(text, encoding="utf-8")
        aside.replace(file_of(self._folder, os.getpid()))


def file_of(folder: Path, pid: int) -> Path:
    """The file of a process's exemplars."""
    return folder / _PATTERN.replace("*", str(pid))


def with_exemplars(metrics: Sequence[Metric], folder: Path) -> Iterator[Metric]:
    """The same metrics, each bucket with the last exemplar of all processes."""
    last = _last_of_all(folder)
    for metric in metrics:
        metric.samples = [
            sample._replace(exemplar=last.get(_key(sample.name, sample.labels)))
            for sample in metric.samples
        ]
        yield metric


def _last_of_all(folder: Path) -> dict[str, Exemplar]:
    found: dict[str, Exemplar] = {}
    for file in folder.glob(_PATTERN):
        for key, (trace_id, value, at) in json.loads(file.read_text(encoding="utf-8")).items():
            known = found.get(key)
            if known is None or known.timestamp is None or float(known.timestamp) < at:
                found[key] = Exemplar(labels_of(trace_id), value, at)
    return found


def _key(name: str, labels: Mapping[str, str]) -> str:
    return json.dumps([name, labels], sort_keys=True)
