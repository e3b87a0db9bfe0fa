"""The dashboards by the names of their files, as JSON."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import incident, overview

FOLDER = Path(__file__).parent
_OF_THE_SDK = ("id", "auto", "auto_min", "auto_count")
"""It gives these to every variable; Grafana's own types of one have none of them."""


def written() -> dict[str, str]:
    """Each file's content as it is to be."""
    return {
        "courier-overview.json": _json(overview.dashboard()),
        "courier-incident.json": _json(incident.dashboard()),
    }


def _json(dashboard: Dashboard) -> str:
    built = dashboard.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    board = json.loads(json.dumps(built, cls=JSONEncoder))
    del board["style"]  # of Grafana before 10
    for variable in board["templating"]["list"]:
        for name in _OF_THE_SDK:
            del variable[name]
    return json.dumps(board, indent=2, sort_keys=True) + "\n"
