"""What pods and the unit are given, and the runbook's sizing, rest on what was measured last."""

import re
from pathlib import Path

import pytest

from tests.manifests import KUBERNETES, OVERLAYS, container, one
from tests.systemd import UNIT

ROOT = KUBERNETES.parents[1]
BENCH = (ROOT / "docs" / "bench.md").read_text()
SCALING = (ROOT / "docs" / "scaling.md").read_text()
README = (ROOT / "deploy" / "README.md").read_text()
SIZING = (ROOT / "deploy" / "RUNBOOK.md").read_text().partition("\n## Sizing\n")[2]
FIGURE = r"([\d,.]+)"
FILES_A_DAY = {"small": "1,000,000", "large": "10,000,000"}
MIB = 1024**2
FILES = [*KUBERNETES.rglob("*.yaml"), UNIT]


def rows(label: str, text: str = BENCH) -> list[str]:
    """The median of each row of this name, as the tables have it."""
    return re.findall(rf"^\| {re.escape(label)} \|[ |]* {FIGURE} \|", text, re.MULTILINE)


def number(figure: str) -> float:
    return float(figure.replace(",", ""))


def megabytes() -> set[float]:
    """What a process held."""
    [console] = re.findall(rf"{FIGURE} MB at most", SCALING)
    return {number(each) for each in (*rows("MB resident"), *rows("worker MB"), console)}


def milliseconds() -> set[float]:
    """Of a processor, for a file."""
    scaled = re.findall(rf"every 3 files \| {FIGURE} \|", SIZING)
    return {number(each) for each in (*rows("worker: processor ms a file"), *scaled)}


def bytes_of(quantity: str) -> int:
    assert quantity.endswith("Mi")
    return int(quantity[:-2]) * MIB


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_the_memory_that_a_process_was_seen_to_hold(overlay: str) -> None:
    worker = container(one(overlay, "Deployment")["spec"]["template"])["resources"]
    exporter = container(one(overlay, "Deployment", "courier-exporter")["spec"]["template"])
    most = max(megabytes()) * 1_000_000
    assert bytes_of(worker["requests"]["memory"]) >= most
    assert bytes_of(worker["limits"]["memory"]) >= 2 * most
    [alone] = rows("worker MB")
    assert bytes_of(exporter["resources"]["requests"]["memory"]) >= float(alone) * 1_000_000


def test_the_unit_has_memory_for_two_workers_and_the_console() -> None:
    [alone] = rows("worker MB")
    [high] = re.findall(r"^MemoryHigh=(\d+)M$", UNIT.read_text(), re.MULTILINE)
    assert int(high) * MIB >= (2 * float(alone) + max(megabytes())) * 1_000_000


@pytest.mark.parametrize("overlay", FILES_A_DAY)
def test_an_overlay_has_as_many_workers_as_the_sizing_wants(overlay: str) -> None:
    replicas = one(overlay, "Deployment")["spec"]["replicas"]
    day = re.escape(FILES_A_DAY[overlay])
    wanted = re.findall(rf"^\| {day} \| [\d.]+ a second \| (\d+) \(", SIZING, re.MULTILINE)
    assert replicas == max(map(int, wanted))
    assert re.search(rf"^\| `{overlay}` \| {replicas}\b", README, re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda each: each.name)
def test_the_figures_beside_them_are_the_last_ones(path: Path) -> None:
    comments = " ".join(re.findall(r"# (.*)", path.read_text()))
    known = {f"{each:g}" for each in megabytes() | milliseconds()}
    told = re.findall(rf"(?:{FIGURE} to )?{FIGURE} (?:MB|ms)\b", comments)
    assert {each for pair in told for each in pair if each} <= known


def test_the_runbook_tells_the_benchmarks_figures() -> None:
    [events] = re.findall(rf"^\| \*\*Courier\*\* \|.*\| {FIGURE} events/s \|", BENCH, re.MULTILINE)
    assert f"one process takes {events} a second" in SIZING
    for service in ("worker", "broker", "database"):
        [percent] = rows(f"{service} % of a core")
        [held] = rows(f"{service} MB")
        assert f"{float(percent):g} % of a core and {held} MB" in SIZING
