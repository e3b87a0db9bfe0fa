"""Grafana's dashboards as they are committed."""

import json
import re
from typing import Any

import pytest

from deploy.grafana.dashboards import FOLDER, written
from worker.metric_names import named

FILES = ("courier-overview.json", "courier-incident.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def committed(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return read


def panels(name: str) -> list[dict[str, Any]]:
    return [each for each in committed(name)["panels"] if each["type"] != "row"]


def test_the_files_are_what_the_python_writes() -> None:
    assert {*written()} == {path.name for path in FOLDER.glob("*.json")} == {*FILES}
    for name, text in written().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: python -m deploy.grafana"


@pytest.mark.parametrize("name", FILES)
def test_every_panel_says_what_it_means_in_which_unit(name: str) -> None:
    for panel in panels(name):
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == SOURCE
        assert all(target["datasource"] == SOURCE for target in panel["targets"])


@pytest.mark.parametrize("name", FILES)
def test_panels_and_their_queries_are_told_apart(name: str) -> None:
    board = committed(name)
    numbers = [panel["id"] for panel in board["panels"]]
    assert len({*numbers}) == len(numbers)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len({*places}) == len(places)
    for panel in panels(name):
        letters = [target["refId"] for target in panel["targets"]]
        assert all(letters)
        assert len({*letters}) == len(letters)


@pytest.mark.parametrize("name", FILES)
def test_queries_name_metrics_that_there_are_and_variables_that_there_are(name: str) -> None:
    known = {each.name for each in named()}
    variables = {each["name"] for each in committed(name)["templating"]["list"]}
    assert variables == {"datasource", "job"}
    for panel in panels(name):
        for target in panel["targets"]:
            found = re.findall(r"courier_\w+", target["expr"])
            assert found
            assert {SUFFIX.sub("", each) for each in found} <= known
            assert {*re.findall(r"\$(\w+)", target["expr"])} <= {
                *variables,
                *("__range", "__rate_interval"),
            }


@pytest.mark.parametrize("name", FILES)
def test_a_series_has_one_colour_on_all_panels_of_its_meaning(name: str) -> None:
    colours: dict[str, set[str]] = {}
    for panel in panels(name):
        for override in panel["fieldConfig"]["overrides"]:
            series = override["matcher"]["options"]
            (fixed,) = override["properties"]
            colours.setdefault(series, set()).add(fixed["value"]["fixedColor"])
    for series in ("suspended", "probing", "account", "file", "source", "ours", "ready", "overdue"):
        assert len(colours.get(series, {""})) == 1, series
