"""Grafana's dashboards: written in Python, committed as JSON beside it.

`python -m deploy.grafana` writes the JSON anew; a test fails where the two differ. Every query
names its metric by `worker.metric_names`, and a test runs all of them against a real Prometheus.
"""
