"""This machine's clock beside the database's.

What is delivered when goes by the database's clock, and is right on any machine. Certificates,
codes of sign-ins, signed requests and the times in the log go by this machine's.
"""

import time

import pymongo
from pymongo.database import Database

from alerts.message import span
from config.documents import Document, clock

FAR_SECONDS = 60.0
"""A difference that is told of: below it nothing that goes by this machine's clock fails."""
ADVICE = "have both machines set their clocks by NTP (timedatectl, chronyc tracking)."


def difference(database: Database[Document], seconds: float) -> float:
    """Seconds that this machine's clock is ahead of the database's, negative where it is behind.

    What the answer was under way is left out: at least so much it is. Waits for at most `seconds`.
    Raises pymongo's errors where MongoDB is away.
    """
    asked = time.time()
    with pymongo.timeout(seconds):
        theirs = clock(database).timestamp()
    answered = time.time()
    return max(0.0, asked - theirs) + min(0.0, answered - theirs)


def is_far(ahead: float) -> bool:
    """Whether such a difference is to be mended."""
    return abs(ahead) > FAR_SECONDS


def in_words(ahead: float) -> str:
    """Such as "5 minutes ahead of MongoDB's"."""
    return f"{span(60 * round(abs(ahead) / 60))} {'ahead of' if ahead > 0 else 'behind'} MongoDB's"
