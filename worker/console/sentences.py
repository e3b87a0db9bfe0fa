"""What lower layers say in finished English and pages show, named for translation.

`WORDS` are texts without places; `PATTERNS` hold `%(name)s` where something stands that differs
(see `language_patterns`). The causes and the advice of `transports.diagnosis` are collected from
there (tests/languages).
"""

from worker.console import (
    field_sentences,
    people_sentences,
    recording_sentences,
    server_sentences,
)
from worker.console.language import mark as N_

_RECORDINGS_WORDS = recording_sentences.WORDS
_RECORDINGS = recording_sentences.PATTERNS

_SERVERS_WORDS = field_sentences.WORDS + server_sentences.WORDS
_SERVERS = field_sentences.PATTERNS + server_sentences.PATTERNS

_MANY_WORDS = (
    N_("There is no such account any more, or it is not for you to see."),
    N_("The account is not suspended any more: there is no timer to cut."),
    N_("The account is paused already."),
    N_("The account is not paused any more: there is nothing to resume."),
    N_(
        "What is stored of this account, or of one above it, cannot be used: save its settings "
        "anew."
    ),
    N_("So that no server is flooded, 20 accounts are tried a minute."),
    N_("Whoever began it may not act any more: what is not counted here was not done."),
    N_("RabbitMQ is away: it goes on by itself."),
    N_(
        "This account has no FTP access: it is granted by the account above it or by your service "
        "provider."
    ),
)
"""Of bulk actions (consumers/upkeep)."""

_PEOPLE_WORDS = people_sentences.WORDS
_PEOPLE = people_sentences.PATTERNS

WORDS: tuple[str, ...] = _RECORDINGS_WORDS + _SERVERS_WORDS + _MANY_WORDS + _PEOPLE_WORDS
PATTERNS: tuple[str, ...] = _RECORDINGS + _SERVERS + _PEOPLE
