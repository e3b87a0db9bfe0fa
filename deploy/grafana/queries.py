"""PromQL of our metrics. `job` is a variable of each dashboard: the scrape jobs of Courier.

Whether values of several instances are added or the same value is told by each, the list of the
metrics knows (`Scope`): nothing here has to be remembered of it.
"""

from worker.metric_names import Named, Scope, Type

RATE = "$__rate_interval"
RANGE = "$__range"


def series(named: Named, suffix: str = "", **labels: str) -> str:
    """The metric's series; `labels` must match."""
    matchers = ['job=~"$job"', *(f'{label}="{value}"' for label, value in labels.items())]
    return f"{named.name}{suffix}{{{', '.join(matchers)}}}"


def now(named: Named, by: str = "", **labels: str) -> str:
    """The gauge's value, for each value of the label `by`."""
    put_together = "max" if named.scope is Scope.PLATFORM else "sum"
    return f"{put_together}{_by(by)} ({series(named, **labels)})"


def least(named: Named) -> str:
    """The smallest value that an instance tells."""
    return f"min ({series(named)})"


def rate(named: Named, by: str = "", **labels: str) -> str:
    """Of a counter, a second."""
    return f"sum{_by(by)} (rate({series(named, **labels)}[{RATE}]))"


def increase(named: Named, by: str = "", over: str = RATE, **labels: str) -> str:
    """Of a counter, in that time."""
    return f"sum{_by(by)} (increase({series(named, **labels)}[{over}]))"


def quantile(share: float, named: Named, by: str = "") -> str:
    """Seconds within which this share of what was observed came."""
    labels = ", ".join(["le", *([by] if by else [])])
    buckets = series(named, "_bucket")
    return f"histogram_quantile({share}, sum by ({labels}) (rate({buckets}[{RATE}])))"


def buckets(named: Named) -> str:
    """A histogram of what is at this moment."""
    if named.type is not Type.GAUGE_HISTOGRAM:
        raise ValueError(f"{named.name} tells what has been: take the rate of it")
    return f"max by (le) ({series(named, '_bucket')})"


def _by(label: str) -> str:
    return f" by ({label})" if label else ""
