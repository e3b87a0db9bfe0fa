"""Writes the rules of `deploy/prometheus` as the Prometheus operator takes them.

`python -m deploy.kubernetes.prometheus_rules`, after a rule was changed; a test compares the two.
"""

from pathlib import Path

WRITTEN = Path(__file__).with_name("base") / "prometheusrule.yaml"
RULES = Path(__file__).parents[1] / "prometheus"
_HEAD = """\
# Written by `python -m deploy.kubernetes.prometheus_rules` from deploy/prometheus: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: courier
spec:
  groups:
"""
_GROUPS = "groups:"


def manifest() -> str:
    """The PrometheusRule of all groups, each line as it stands in its file, further in."""
    return _HEAD + "".join(_groups(file) for file in sorted(RULES.glob("*.yaml")))


def _groups(file: Path) -> str:
    """What stands below `groups:`, which is all that a file of rules has besides comments."""
    lines = file.read_text().splitlines()
    below = lines[lines.index(_GROUPS) + 1 :]
    return "".join(f"  {line}".rstrip() + "\n" for line in below)


if __name__ == "__main__":
    WRITTEN.write_text(manifest())
    print(f"{WRITTEN.name}: {manifest().count('- alert:')} alerts")
