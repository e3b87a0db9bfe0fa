"""The counts of several processes, in files of one folder that prometheus_client keeps."""

import threading
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from worker import exemplars
from worker.exemplars import with_exemplars

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder of the counts, in the environment of each of several processes."""
ENDED = "ended"
"""The process number under which the counts of all ended processes stand."""


class ProcessCounts(Collector):
    """The sums over all processes, of ended ones too, and the gauges of those that live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files = MultiProcessCollector(None, path=str(folder))  # type: ignore[no-untyped-call]

    def describe(self) -> list[Metric]:
        """Nothing is known before the first process counts."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The sums of this moment. Waits while counts are moved from one file to another."""
        with self._lock:
            metrics = list(self._files.collect())  # type: ignore[no-untyped-call]
            return list(with_exemplars(metrics, self._folder))

    def retire(self, pid: int) -> None:
        """Add the counts of an ended process to those of all ended ones, and drop its gauges.

        So there are never more files than processes, however often a process is replaced.
        """
        with self._lock:
            mark_process_dead(pid, path=str(self._folder))  # type: ignore[no-untyped-call]
            for kind in ("counter", "histogram"):
                self._add_up(kind, pid)
            exemplars.file_of(self._folder, pid).unlink(missing_ok=True)

    def _add_up(self, kind: str, pid: int) -> None:
        ended, own = (self._folder / f"{kind}_{each}.db" for each in (ENDED, pid))
        standing = [str(file) for file in (ended, own) if file.exists()]
        if not own.exists():
            return
        sums = MultiProcessCollector.merge(standing, accumulate=False)  # type: ignore[no-untyped-call]
        aside = self._folder / f"{kind}.new"
        _write(aside, sums)
        aside.replace(ended)
        own.unlink()


def _write(file: Path, metrics: Iterable[Metric]) -> None:
    values = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    try:
        for metric in metrics:
            for sample in metric.samples:
                labels, help_text = sample.labels, metric.documentation
                key = mmap_key(metric.name, sample.name, [*labels], [*labels.values()], help_text)
                values.write_value(key, sample.value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        values.close()  # type: ignore[no-untyped-call]
