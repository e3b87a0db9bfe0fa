"""The service at a glance: is it well, and if not, whose is it."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.glance import glance
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
from deploy.grafana.queries import buckets, increase, least, now, quantile, rate, series
from worker import metric_names as names

FAULTS = {"account": LOOK, "file": OTHER, "source": PLAIN, "busy": QUIET, "ours": ACT}
"""By whose fault, as the rules of the program name it."""
SUSPENDING = {kind: FAULTS[kind] for kind in ("account", "file")}
"""Those that count towards a suspension."""
DEADLY = {**SUSPENDING, "source": FAULTS["source"], "crash-loop": ACT}
"""Those by which a file becomes a dead letter."""
STATES = {
    "active": WELL,
    "suspended": LOOK,
    "probing": PLAIN,
    "paused": QUIET,
    "disabled": QUIET,
}
LATE_SECONDS = 300


def dashboard() -> Dashboard:
    """All of it, the most urgent first."""
    board = new_dashboard(
        "Courier: overview",
        "courier-overview",
        "Whether recordings reach the customers in time, and if not, what keeps them.",
        "now-6h",
    )
    for row in (glance, _flow, _waiting, _blame, _workers, _canary):
        board = row(board)
    return board


def _flow(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Freshness and rate"))
        .with_panel(
            lines(
                "From event to place",
                "Time from an event's arrival to its file's place at the customer, outages of "
                "customers included. The line is the service level, 5 minutes.",
                Query(quantile(0.5, names.DELIVERY_SECONDS), "half"),
                Query(quantile(0.95, names.DELIVERY_SECONDS), "95 %"),
                Query(quantile(0.99, names.DELIVERY_SECONDS), "99 %", exemplars=True),
                unit="s",
                colours={"half": WELL, "95 %": PLAIN, "99 %": OTHER},
                limit=LATE_SECONDS,
            )
        )
        .with_panel(
            lines(
                "Events and files",
                "Events as they were taken, and how files ended. Delivered follows routed; where "
                "it stays below, files wait.",
                Query(rate(names.EVENTS, "outcome"), "events: {{outcome}}"),
                Query(rate(names.FILES, "outcome"), "files: {{outcome}}"),
                unit="cps",
                colours={
                    "events: routed": PLAIN,
                    "events: invalid": ACT,
                    "events: duplicate": QUIET,
                    "events: skipped": QUIET,
                    "files: delivered": WELL,
                    "files: dead_lettered": LOOK,
                    "files: replayed": OTHER,
                },
            )
        )
        .with_panel(
            lines(
                "Uploaded",
                "Bytes of delivered files, by protocol.",
                Query(rate(names.BYTES, "protocol"), "{{protocol}}"),
                unit="Bps",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Length of an upload",
                "Of 95 % of the tries that delivered a file, by protocol. It grows where servers "
                "or the line are slow; the time in queue is not in it.",
                Query(quantile(0.95, names.UPLOAD_SECONDS, "protocol"), "{{protocol}}"),
                unit="s",
            )
        )
    )


def _waiting(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("What waits"))
        .with_panel(
            shape(
                "How long it has waited",
                "Files that wait at this moment, by their age in seconds (the bar's upper end). "
                "A hill on the left is traffic, one that walks to the right is an outage.",
                buckets(names.QUEUED_AGE),
            )
        )
        .with_panel(
            lines(
                "Files that wait",
                "All of them, those that a worker would take now (due), and those that are late "
                "by our own fault (overdue). Queued without due is customers' outages.",
                Query(now(names.QUEUED_FILES), "queued"),
                Query(now(names.DUE_FILES), "due"),
                Query(now(names.OVERDUE_FILES), "overdue"),
                colours={"queued": QUIET, "due": PLAIN, "overdue": ACT},
            )
        )
        .with_panel(
            lines(
                "The oldest that waits",
                "An outage of a customer shows as a straight line upwards.",
                Query(now(names.OLDEST_QUEUED), "oldest"),
                unit="s",
                colours={"oldest": QUIET},
            )
        )
        .with_panel(
            lines(
                "Accounts",
                "By state. Disabled: no settings, switched off, or no permission.",
                Query(now(names.ACCOUNTS, "state"), "{{state}}"),
                colours=STATES,
                stacked=True,
            )
        )
    )


def _blame(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("By whose fault"))
        .with_panel(
            lines(
                "Failed tries",
                "By who has to mend it: the customer's server or settings (account), this name "
                "there (file), the recording itself (source), too many connections (busy), or "
                "ourselves (ours).",
                Query(rate(names.TRIES, "kind", result="failed"), "{{kind}}"),
                unit="cps",
                colours=FAULTS,
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "New dead letters",
                "By the kind of the last failure; crash-loop: workers died of the file.",
                Query(increase(names.DEAD_LETTERS, "reason"), "{{reason}}"),
                colours=DEADLY,
                bars=True,
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Logins",
                "At customers' servers. Refused: by the server, for the credentials. Failed: it "
                "was not even asked.",
                Query(rate(names.LOGINS, "result"), "{{result}}"),
                unit="cps",
                colours={"accepted": WELL, "refused": LOOK, "failed": ACT},
            )
        )
        .with_panel(
            lines(
                "Faults of the program",
                "Errors that nobody foresaw, by where. Each has its traceback in the log as "
                "program_failed. There should be none.",
                Query(increase(names.PROGRAM_FAULTS, "phase"), "{{phase}}"),
                bars=True,
                stacked=True,
            )
        )
    )


def _workers(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Workers, broker and database"))
        .with_panel(
            lines(
                "Workers",
                "By what they say of themselves.",
                Query(now(names.WORKERS, "state"), "{{state}}"),
                colours={"starting": PLAIN, "ready": WELL, "degraded": LOOK, "stopping": QUIET},
                stacked=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Upload slots",
                "Taken and free, all workers together. None free for long: add processes or "
                "raise COURIER_UPLOAD_SLOTS.",
                Query(now(names.SLOTS, "state"), "{{state}}"),
                colours={"used": PLAIN, "free": QUIET},
                stacked=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Accounts at work and due",
                "Accounts that are worked at this moment, and those that would be. Due above at "
                "work for long: there are too few slots.",
                Query(now(names.SESSIONS), "at work"),
                Query(now(names.DUE_ACCOUNTS), "due"),
                colours={"at work": WELL, "due": PLAIN},
                width=8,
            )
        )
        .with_panel(
            lines(
                "Workers replaced",
                "Workers that ended unasked and were started again by their supervisor.",
                Query(increase(names.WORKER_RESTARTS), "replaced"),
                colours={"replaced": ACT},
                bars=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Broker and database",
                "1 where they answer all programs that are scraped.",
                Query(least(names.RABBITMQ_UP), "RabbitMQ"),
                Query(least(names.MONGODB_UP), "MongoDB"),
                colours={"RabbitMQ": LOOK, "MongoDB": WELL},
                width=8,
            )
        )
        .with_panel(
            lines(
                "At the broker",
                "Events not taken yet, events that cannot be used, and accounts whose queue "
                "RabbitMQ refuses.",
                Query(now(names.INTAKE_WAITING), "not taken"),
                Query(now(names.INVALID_EVENTS), "invalid"),
                Query(now(names.BROKEN_QUEUES), "refused queues"),
                colours={"not taken": PLAIN, "invalid": LOOK, "refused queues": ACT},
                width=8,
            )
        )
    )


def _canary(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Canary"))
        .with_panel(
            lines(
                "The whole way",
                "How long our own recording took from before its event until it was read back.",
                Query(now(names.CANARY_SECONDS), "the whole way"),
                unit="s",
                colours={"the whole way": WELL},
                limit=LATE_SECONDS,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Runs",
                "By how they ended: ok, not in place in time (late), another content (wrong), or "
                "given up (failed).",
                Query(increase(names.CANARY_RUNS, "result"), "{{result}}"),
                colours={"ok": WELL, "late": LOOK, "wrong": ACT, "failed": ACT},
                bars=True,
                stacked=True,
                width=8,
            )
        )
        .with_panel(
            lines(
                "What runs",
                "Programs that are scraped, by version: two beside each other during an upgrade.",
                Query(f"count by (version) ({series(names.BUILD_INFO)})", "{{version}}"),
                stacked=True,
                width=8,
            )
        )
    )
