"""What processes use, by the kernel's own count."""

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """All processes beneath it, at any depth."""
    tasks = (_PROC / str(pid) / "task").glob("*/children")
    direct = [int(child) for task in tasks for child in task.read_text().split()]
    return [each for child in direct for each in (child, *children_of(child))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time, of user and system, since they began."""
    return sum(map(_cpu_seconds, pids))


def resident_megabytes(pid: int) -> float:
    """Resident memory as it is, in millions of bytes."""
    return _megabytes(pid, "VmRSS")


def peak_megabytes(pid: int) -> float:
    """The most resident memory since `forget_peak`, in millions of bytes."""
    return _megabytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Count the peak of resident memory anew (proc(5), clear_refs)."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def _cpu_seconds(pid: int) -> float:
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _megabytes(pid: int, name: str) -> float:
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) * 1024 / 1e6
