"""Writes the dashboards' JSON anew: `python -m deploy.grafana`."""

from deploy.grafana.dashboards import FOLDER, written

for name, text in written().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
