"""The dashboards against the types that Grafana 12 itself gives them, by TypeScript.

Grafana is in no package that can be had here, but its types are in npm. What they do not know, an
option's name or a value for one, Grafana would pass over without a word.
"""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.dashboards import FOLDER
from deploy.local import npm

OF_PANEL = {"timeseries": "TimeSeries", "stat": "Stat", "bargauge": "BarGauge"}
RAW = "@grafana/schema/dist/esm/raw/composable"
# JSON has an enumeration's values in the place of its members.
HEAD = """
type Plain<T> = T extends string ? `${T}`
    : T extends boolean | number | null | undefined ? T
    : T extends (infer U)[] ? Plain<U>[]
    : T extends object ? {[K in keyof T]: Plain<T[K]>}
    : T;
import type {Dashboard, Panel, RowPanel} from '@grafana/schema';
"""
TSC = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext")
BOARDS = {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}


def typed(board: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each part of a dashboard, as Grafana's types have them, with its type.

    A panel's options and the style of its series are of its plugin, and have types of their own.
    """
    board = copy.deepcopy(board)
    for panel in board.pop("panels"):
        if panel["type"] == "row":
            yield "RowPanel", panel
            continue
        plugin = OF_PANEL[panel["type"]]
        yield f"Partial<{plugin}.Options>", panel.pop("options")
        style = panel["fieldConfig"]["defaults"].pop("custom", None)
        if style is not None:
            yield f"Partial<{plugin}.FieldConfig>", style
        panel.pop("targets")  # of the data source, which has no types in npm
        yield "Panel", panel
    yield "Dashboard", board


def complaints(board: dict[str, Any], folder: Path) -> list[str]:
    """What TypeScript has against it."""
    if not npm.TYPES.are_installed:
        pytest.fail("Grafana's types are not on this machine: run `make test`.")
    lines = [HEAD]
    for kind, plugin in OF_PANEL.items():
        path = f"{RAW}/{kind}/panelcfg/x/{plugin}PanelCfg_types.gen"
        lines.append(f"import type * as {plugin} from '{path}';")
    for number, (name, part) in enumerate(typed(board)):
        lines.append(f"export const part{number}: Plain<{name}> = {json.dumps(part)};")
    (folder / "node_modules").symlink_to(npm.TYPES.modules)
    (folder / "board.ts").write_text("\n".join(lines))
    tsc = npm.TYPES.modules / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", tsc, *TSC, "board.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = done.stdout.splitlines()
    assert bool(found) == bool(done.returncode), done.stderr
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_what_grafanas_types_have(name: str, tmp_path: Path) -> None:
    assert complaints(BOARDS[name], tmp_path) == []


def test_what_grafana_would_pass_over_is_found(tmp_path: Path) -> None:
    board = copy.deepcopy(BOARDS["courier-overview.json"])
    board["templating"]["list"][0]["automatic"] = False
    series = [panel for panel in board["panels"] if panel["type"] == "timeseries"]
    series[0]["options"]["legend"]["displayMode"] = "tabular"
    series[1]["fieldConfig"]["defaults"]["custom"]["lineWide"] = 2
    series[2]["gridPos"]["x"] = "left"
    found = "\n".join(complaints(board, tmp_path))
    for fault in (
        "'\"automatic\"'",
        "'\"tabular\"'",
        "'\"lineWide\"'",
        "'string' is not assignable",
    ):
        assert fault in found
    assert len(found.splitlines()) == 4
