"""Every metric by its name, type, labels and meaning: for the metrics and for docs/metrics.md.

No label carries an account, a file, a path or words of a customer: there are too many of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """Prometheus' types. A gauge histogram tells what is, not what has been: no `rate()` of it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gauge histogram"


class Scope(StrEnum):
    """What a value is about: it decides how the values of several instances are put together."""

    PROCESS = "process"
    """The program that is scraped, all its workers together: `sum` over the instances."""
    PLATFORM = "platform"
    """The whole platform, the same from every instance: `max` over the instances."""


@dataclass(frozen=True)
class Named:
    """One metric. `labels` has the values of each, as a reader of the documentation wants them."""

    name: str
    type: Type
    scope: Scope
    help: str
    labels: dict[str, str] = field(default_factory=dict)


_KINDS = "`account`, `file`, `source`, `busy`, `ours`"
_PROTOCOLS = "as in the FTP settings"


def _counter(name: str, help: str, **labels: str) -> Named:  # noqa: A002 - Prometheus' word
    return Named(name, Type.COUNTER, Scope.PROCESS, help, labels)


def _own(name: str, help: str, **labels: str) -> Named:  # noqa: A002 - Prometheus' word
    return Named(name, Type.GAUGE, Scope.PROCESS, help, labels)


def _whole(name: str, help: str, **labels: str) -> Named:  # noqa: A002 - Prometheus' word
    return Named(name, Type.GAUGE, Scope.PLATFORM, help, labels)


EVENTS = _counter(
    "courier_events_total",
    "Events taken from the intake queue.",
    outcome="`routed`, `duplicate`, `invalid`, `skipped`",
)
TRIES = _counter(
    "courier_tries_total",
    "Tries of files, by their result and the kind of failure.",
    protocol=_PROTOCOLS,
    result="`delivered`, `failed`",
    kind=f"{_KINDS}; empty where delivered",
)
FILES = _counter(
    "courier_files_total",
    "Files delivered, dead-lettered, or returned from there.",
    outcome="`delivered`, `dead_lettered`, `replayed`",
)
FRESH_FILES = _counter(
    "courier_fresh_files_total",
    "Delivered files of which nothing but Courier can have kept one waiting: their account was at "
    "work without a failure since they arrived, neither suspended nor paused nor switched off, "
    "and no try of them had failed. By whether they were in place within 5 minutes.",
    result="`within`, `late`",
)
DEAD_LETTERS = _counter(
    "courier_dead_letters_total",
    "Files that became dead letters, by why: the customer's server (account), this file at the "
    "server (file), the recording itself (source), or workers that died of it (crash-loop).",
    reason="`account`, `file`, `source`, `crash-loop`",
)
BYTES = _counter("courier_uploaded_bytes_total", "Bytes of delivered files.", protocol=_PROTOCOLS)
UPLOAD_SECONDS = Named(
    "courier_upload_seconds",
    Type.HISTOGRAM,
    Scope.PROCESS,
    "Length of the tries that delivered a file.",
    {"protocol": _PROTOCOLS},
)
DELIVERY_SECONDS = Named(
    "courier_delivery_seconds",
    Type.HISTOGRAM,
    Scope.PROCESS,
    "From an event's arrival to its file's place at the customer, customers' outages included.",
)
LOGINS = _counter(
    "courier_logins_total",
    "Logins at customers' servers, those beside one that stands left out: accepted, refused by "
    "the server, or failed before it was asked.",
    result="`accepted`, `refused`, `failed`",
)
SUSPENSIONS = _counter(
    "courier_suspensions_total",
    "Suspensions of accounts, by the kind of the failure that caused them.",
    cause="`account`, `file`",
)
ALERTS = _counter("courier_alerts_total", "Alert e-mails tried.", outcome="`sent`, `failed`")
PROGRAM_FAULTS = _counter(
    "courier_program_faults_total",
    "Errors that nobody foresaw, by the phase of a try or the part of the program. "
    "Each has its traceback in the log as `program_failed`.",
    phase="the phase of a try, or the part of the program",
)
LOST_RACES = _counter(
    "courier_lost_races_total",
    "What was not written down of a try because its file, or its account, was another session's "
    "by then: of the file its delivery, its failed try, or that this is taken back; of the account "
    "the failure or the recovery. Each is in the log as `race_lost`.",
    change="`delivery`, `failed_try`, `taken_back_try`, `failure`, `recovery`",
)
WORKER_RESTARTS = _counter(
    "courier_worker_restarts_total",
    "Workers that ended unasked and were replaced by the supervisor of `courier run`.",
)
SLOTS = _own(
    "courier_upload_slots",
    "Upload slots (COURIER_UPLOAD_SLOTS) of all workers, by whether they are taken.",
    state="`used`, `free`",
)
SESSIONS = _own("courier_account_sessions", "Accounts that are being worked at this moment.")
START_TIME = _own(
    "courier_start_time_seconds", "When the program that is scraped was started, in Unix time."
)
BUILD_INFO = _own(
    "courier_build_info",
    "Always 1; the labels tell what runs.",
    version="of Courier",
    python="of Python",
)
ACCOUNTS = _whole(
    "courier_accounts",
    "Accounts, by state.",
    state="`active`, `suspended`, `probing`, `paused`, `disabled`",
)
DUE_ACCOUNTS = _whole(
    "courier_due_accounts",
    "Accounts that a worker would work now, or does: with files to try, or a probe.",
)
DUE_FILES = _whole(
    "courier_due_files",
    "Files of the due accounts; of one that is to be probed only the probe. "
    "What waits for suspended, paused and disabled accounts does not count.",
)
QUEUED_FILES = _whole("courier_queued_files", "Files that wait.")
QUEUED_AGE = Named(
    "courier_queued_age_seconds",
    Type.GAUGE_HISTOGRAM,
    Scope.PLATFORM,
    "The files that wait at this moment, by how long they have waited.",
)
OLDEST_QUEUED = _whole(
    "courier_oldest_queued_seconds",
    "How long the oldest of the files that wait has waited, but for accounts outside of their "
    "delivery window.",
)
OVERDUE_FILES = _whole(
    "courier_overdue_files",
    "Files that have waited for more than 5 minutes though nothing but Courier can have kept them "
    "waiting, as courier_fresh_files_total has it.",
)
DEAD_LETTER_FILES = _whole("courier_dead_letter_files", "Files given up.")
LAST_DELIVERY = _whole(
    "courier_last_delivery_timestamp_seconds",
    "When the last file was delivered, in Unix time. Absent before the first one.",
)
BROKEN_QUEUES = _whole("courier_broken_queues", "Accounts whose queue at RabbitMQ cannot be used.")
ALERTS_WAITING = _whole(
    "courier_alerts_waiting",
    "Alert e-mails not sent yet, without those that wait for the hourly limits.",
)
WORKERS = _whole(
    "courier_workers",
    "Workers heard of within a minute, by how they are.",
    state="`starting`, `ready`, `degraded`, `stopping`",
)
INTAKE_WAITING = _whole(
    "courier_intake_waiting_events",
    "Events that wait in recordings.ready for an intake to take them.",
)
INVALID_EVENTS = _whole(
    "courier_invalid_events", "Events that lie in recordings.invalid until somebody sees to them."
)
CONFIGURATION_WARNINGS = _whole(
    "courier_configuration_warnings",
    "What `courier check` warns of: files and networks that are open to more than may be meant, "
    "as the program that is scraped has them, and policies at RabbitMQ that would lose messages, "
    "as a worker found them within the hour.",
    about="`sources`, `user`, `networks`, `metadata`, `policies`",
)
CANARY_RUNS = _counter(
    "courier_canary_runs_total",
    "Runs of the canary (COURIER_CANARY_ACCOUNT), each counted once: delivered and read back as it "
    "was sent (ok), not in place after 5 minutes (late), another content or none (wrong), or given "
    "up before, by the failure of a step (failed).",
    result="`ok`, `late`, `wrong`, `failed`",
)
CANARY_SUCCESS = _whole(
    "courier_canary_success",
    "1 where the canary's last run that was counted is ok, else 0; 0 before the first. The "
    "canary's gauges are absent where it is off.",
)
CANARY_SECONDS = _whole(
    "courier_canary_seconds",
    "How long the canary's last run that was ok took, from before its event was published until "
    "it was read back. Absent before the first.",
)
CANARY_LAST_SUCCESS = _whole(
    "courier_canary_last_success_timestamp_seconds",
    "When the last run of the canary that was ok ended, in Unix time; 0 before the first.",
)
CANARY_LAST_LOOK = _whole(
    "courier_canary_last_look_timestamp_seconds",
    "When a worker last saw to the canary, be it only to see that its recording still waits, in "
    "Unix time; 0 before the first time. Some seconds ago while it runs.",
)
MONGODB_UP = _own(
    "courier_mongodb_up", "1 where MongoDB answers the program that is scraped, else 0."
)
RABBITMQ_UP = _own(
    "courier_rabbitmq_up", "1 where RabbitMQ answers the program that is scraped, else 0."
)


def named() -> tuple[Named, ...]:
    """All metrics, in the order of this file."""
    return tuple(each for each in globals().values() if isinstance(each, Named))


def table() -> Iterator[str]:
    """The rows of docs/metrics.md."""
    yield "| name | type | labels | of | meaning |"
    yield "|---|---|---|---|---|"
    for each in named():
        labels = "<br>".join(f"`{label}`: {values}" for label, values in each.labels.items())
        yield f"| `{each.name}` | {each.type} | {labels} | {each.scope} | {each.help} |"
