"""The first row of the overview: a number for each question that an on-call asks first."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import ACT, BROKEN, COUNT, LOOK, UP, WELL, stat_panel
from deploy.grafana.queries import RANGE, increase, least, now
from worker import metric_names as names

ANSWERS = {"0": ("away", ACT), "1": ("answers", WELL)}


def glance(board: Dashboard) -> Dashboard:
    """Is it well?"""
    within = increase(names.FRESH_FILES, over=RANGE, result="within")
    share = f"{within} / {increase(names.FRESH_FILES, over=RANGE)}"
    age = f"time() - {now(names.LAST_DELIVERY)}"
    ready = now(names.WORKERS, state="ready")
    suspended, probing = (now(names.ACCOUNTS, state=each) for each in ("suspended", "probing"))
    away = f"{suspended} + {probing}"
    return (
        board.with_row(Row("Is it well?"))
        .with_panel(
            stat_panel(
                "In place within 5 minutes",
                "The service level: of the recordings of healthy accounts that were delivered in "
                "the time shown, the share that was in place within 5 minutes of its event. "
                "Orange below 99.9 %, red below 99 %. No data: none was delivered.",
                share,
                unit="percentunit",
                steps=((0, ACT), (0.99, LOOK), (0.999, WELL)),
            )
        )
        .with_panel(
            stat_panel(
                "Overdue",
                "Files that have waited for more than 5 minutes though nothing but Courier can "
                "keep them. Any is too many: look at the workers, the broker and the database.",
                now(names.OVERDUE_FILES),
                steps=BROKEN,
            )
        )
        .with_panel(
            stat_panel(
                "Suspended accounts",
                "Accounts whose server has failed ten times in a row, tried again every 15 "
                "minutes. One is its customer's affair; many at once are ours.",
                away,
                steps=((0, WELL), (1, LOOK)),
            )
        )
        .with_panel(
            stat_panel(
                "Dead letters",
                "Files given up after five tries, until somebody replays or discards them: "
                "courier dead-letters list.",
                now(names.DEAD_LETTER_FILES),
                steps=COUNT,
            )
        )
        .with_panel(
            stat_panel(
                "Since the last delivery",
                "Of any file of any customer. On a quiet night it grows by itself; orange beyond "
                "an hour.",
                age,
                unit="s",
                steps=((0, WELL), (3600, LOOK)),
            )
        )
        .with_panel(
            stat_panel(
                "Canary",
                "Whether the last recording of our own went the whole way and was read back as it "
                "was sent. Off: COURIER_CANARY_ACCOUNT is not set.",
                now(names.CANARY_SUCCESS),
                words={"0": ("does not arrive", ACT), "1": ("arrives", WELL)},
                steps=UP,
                none="off",
            )
        )
        .with_panel(
            stat_panel(
                "Workers ready",
                "Processes that take events and work accounts, all hosts together.",
                ready,
                steps=UP,
            )
        )
        .with_panel(
            stat_panel(
                "RabbitMQ",
                "Whether it answers each program that is scraped.",
                least(names.RABBITMQ_UP),
                words=ANSWERS,
                steps=UP,
            )
        )
        .with_panel(
            stat_panel(
                "MongoDB",
                "Whether it answers each program that is scraped.",
                least(names.MONGODB_UP),
                words=ANSWERS,
                steps=UP,
            )
        )
        .with_panel(
            stat_panel(
                "Events not taken yet",
                "Events that wait in recordings.ready. Red beyond 1,000: the intake does not keep "
                "up, or does not run.",
                now(names.INTAKE_WAITING),
                steps=((0, WELL), (100, LOOK), (1000, ACT)),
            )
        )
        .with_panel(
            stat_panel(
                "Invalid events",
                "Events that cannot be used, with the reason: courier invalid list. The pipeline's "
                "authors have to see to them.",
                now(names.INVALID_EVENTS),
                steps=COUNT,
            )
        )
        .with_panel(
            stat_panel(
                "Alerts not sent",
                "E-mails to customers and on-call that the mail server has not taken yet.",
                now(names.ALERTS_WAITING),
                steps=COUNT,
            )
        )
    )
