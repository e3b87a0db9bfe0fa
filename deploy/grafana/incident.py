"""A single incident: what began when, whose it is, how far it is over."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.overview import DEADLY, FAULTS, LATE_SECONDS, SUSPENDING
from deploy.grafana.panels import (
    ACT,
    LOOK,
    OTHER,
    PLAIN,
    QUIET,
    WELL,
    Query,
    lines,
    new_dashboard,
    shape,
)
from deploy.grafana.queries import buckets, increase, least, now, quantile, rate
from worker import metric_names as names


def dashboard() -> Dashboard:
    """From its beginning to the last alert."""
    board = new_dashboard(
        "Courier: incident",
        "courier-incident",
        "One incident from its beginning to its end. Set the time range to begin a little before "
        "it: whatever moved first is on the first row.",
        "now-1h",
    )
    for row in (_beginning, _failures, _outage, _draining):
        board = row(board)
    return board


def _beginning(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("What began when"))
        .with_panel(
            lines(
                "Our own side",
                "1 where it is well: the broker, the database, the canary. Where one of them fell "
                "before the failures below began, look there first.",
                Query(least(names.RABBITMQ_UP), "RabbitMQ"),
                Query(least(names.MONGODB_UP), "MongoDB"),
                Query(now(names.CANARY_SUCCESS), "canary"),
                colours={"RabbitMQ": LOOK, "MongoDB": WELL, "canary": PLAIN},
                width=8,
            )
        )
        .with_panel(
            lines(
                "Workers",
                "By what they say of themselves, and how many had to be replaced.",
                Query(now(names.WORKERS, "state"), "{{state}}"),
                Query(increase(names.WORKER_RESTARTS), "replaced"),
                colours={
                    "starting": PLAIN,
                    "ready": WELL,
                    "degraded": LOOK,
                    "stopping": QUIET,
                    "replaced": ACT,
                },
                width=8,
            )
        )
        .with_panel(
            lines(
                "Faults of the program",
                "By where. A new version that brought them: courier_build_info tells when.",
                Query(increase(names.PROGRAM_FAULTS, "phase"), "{{phase}}"),
                bars=True,
                stacked=True,
                width=8,
            )
        )
    )


def _failures(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("What fails"))
        .with_panel(
            lines(
                "Failures by whose they are",
                "Account: the customer's server or settings. Source: our recordings or where they "
                "lie. Ours: broker, database, leases.",
                Query(increase(names.TRIES, "kind", result="failed"), "{{kind}}"),
                colours=FAULTS,
                bars=True,
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Failures by protocol",
                "One protocol alone: a library, a firewall, a change of ours. All at once: the "
                "way out of our network.",
                Query(increase(names.TRIES, "protocol", result="failed"), "{{protocol}}"),
                bars=True,
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Logins by result",
                "Refused by many servers at once: passwords or keys of ours. Failed: they were not "
                "reached.",
                Query(increase(names.LOGINS, "result"), "{{result}}"),
                colours={"accepted": WELL, "refused": LOOK, "failed": ACT},
                bars=True,
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "New dead letters",
                "By the kind of the last failure. Those of an outage come back by themselves.",
                Query(increase(names.DEAD_LETTERS, "reason"), "{{reason}}"),
                colours=DEADLY,
                bars=True,
                stacked=True,
            )
        )
    )


def _outage(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Suspensions and recoveries"))
        .with_panel(
            lines(
                "Suspensions",
                "Begun or begun again in each interval, by cause: an account that stays away "
                "counts every 15 minutes.",
                Query(increase(names.SUSPENSIONS, "cause"), "{{cause}}"),
                colours=SUSPENDING,
                bars=True,
                stacked=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Accounts out of service",
                "Suspended, and those of which one file is tried alone (probing). It falls as they "
                "recover.",
                Query(now(names.ACCOUNTS, state="suspended"), "suspended"),
                Query(now(names.ACCOUNTS, state="probing"), "probing"),
                colours={"suspended": LOOK, "probing": PLAIN},
                stacked=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Files returned",
                "Dead letters of an outage that went back to their queue as the account delivered "
                "again, and those that somebody replayed.",
                Query(increase(names.FILES, outcome="replayed"), "returned"),
                colours={"returned": OTHER},
                bars=True,
                width=8,
            )
        )
    )


def _draining(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Is it over?"))
        .with_panel(
            lines(
                "Files that wait",
                "The incident is over where queued is back at what is due.",
                Query(now(names.QUEUED_FILES), "queued"),
                Query(now(names.DUE_FILES), "due"),
                Query(now(names.OVERDUE_FILES), "overdue"),
                colours={"queued": QUIET, "due": PLAIN, "overdue": ACT},
            )
        )
        .with_panel(
            lines(
                "In and out",
                "Files that came and files that were delivered. The queue drains where delivered "
                "is above.",
                Query(rate(names.EVENTS, outcome="routed"), "came"),
                Query(rate(names.FILES, outcome="delivered"), "delivered"),
                unit="cps",
                colours={"came": PLAIN, "delivered": WELL},
            )
        )
        .with_panel(
            shape(
                "How long it has waited",
                "Files that wait at this moment, by their age in seconds (the bar's upper end).",
                buckets(names.QUEUED_AGE),
                width=8,
            )
        )
        .with_panel(
            lines(
                "From event to place",
                "Of 95 % of the files delivered: high while the backlog drains. The line is 5 "
                "minutes.",
                Query(quantile(0.95, names.DELIVERY_SECONDS), "95 %", exemplars=True),
                unit="s",
                colours={"95 %": PLAIN},
                limit=LATE_SECONDS,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Alerts",
                "E-mails of suspensions and recoveries sent and failed, and those that wait.",
                Query(increase(names.ALERTS, "outcome"), "{{outcome}}"),
                Query(now(names.ALERTS_WAITING), "waiting"),
                colours={"sent": WELL, "failed": ACT, "waiting": LOOK},
                bars=True,
                width=8,
            )
        )
    )
