"""The dashboards by the names of their files, as JSON."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import incident, overview

FOLDER = Path(__file__).parent


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
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
