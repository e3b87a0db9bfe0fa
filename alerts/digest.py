"""The on-call's digest: what is new, what goes on, what has ended, what we have lost. Pure.

A person who is woken has to see two things at once: how many customers are concerned, and whether
it is one cause. So each part is grouped by cause before it names the accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import TypeVar

from alerts import message
from alerts.kinds import Digested
from alerts.loss import NAMED, Losses
from alerts.recovery import Recovery
from alerts.suspension import Suspension

ROWS = 500
"""Most accounts that each part of a digest names; it gives the number of the others."""
MANY = 5
"""So many accounts on different servers that begin to fail alike at once have a common cause,
which is rather on the platform's side."""

_MAX_WORDS = 160
_SUSPENDED = """\
FTP has been suspended for {accounts} of the {platform}. The files that wait are kept; each \
account is tried again by itself at the time given, and every suspension repeats until its server \
takes a file.
"""
_NOT_SUSPENDED = """\
No further account of the {platform} has been suspended since the last digest.
"""

T = TypeVar("T")
Row = tuple[str, ...]


@dataclass
class _Sorted:
    """The events of a digest by what they mean; of each account the latest counts."""

    new: list[Suspension] = field(default_factory=list)
    continuing: list[Suspension] = field(default_factory=list)
    ended: list[Recovery] = field(default_factory=list)
    lost: list[Losses] = field(default_factory=list)

    @property
    def suspended(self) -> int:
        return len(self.new) + len(self.continuing)

    @property
    def recordings(self) -> int:
        return _count(self.lost)


def compose(
    events: Sequence[Digested],
    *,
    sender: str,
    to: Iterable[str],
    platform: str,
    at: datetime,
    console_url: str | None = None,
) -> EmailMessage:
    """The on-call's e-mail about several events. Raises ValueError where the sender is no address.

    An account whose outage began in this digest is new, one that was told of before continues, one
    that delivers again has ended.
    """
    ordered = sorted(events, key=lambda event: message.utc(event.at))
    found = _sort(ordered)
    head = _SUSPENDED if found.suspended else _NOT_SUSPENDED
    parts = [
        head.format(accounts=_accounts(found.suspended), platform=message.one_line(platform)),
        *_suspensions("NEW", found.new, hint=True),
        *_suspensions("CONTINUING", found.continuing),
        *_ended(found.ended),
        *_lost(found),
    ]
    if console_url is not None:
        parts.append(f"The console: {console_url}\n")
    return message.make(
        sender=sender,
        to=to,
        subject=_subject(found),
        at=at,
        key="\n".join([at.isoformat("T", "seconds"), *map(_key, ordered)]),
        text="\n".join(parts),
    )


def _sort(ordered: Sequence[Digested]) -> _Sorted:
    by_account: defaultdict[str, list[Suspension | Recovery]] = defaultdict(list)
    found = _Sorted()
    for event in ordered:
        if isinstance(event, Losses):
            found.lost.append(event)
        else:
            by_account[event.account_id].append(event)
    for events in by_account.values():
        _sort_account(events, found)
    return found


def _sort_account(events: Sequence[Suspension | Recovery], found: _Sorted) -> None:
    last = events[-1]
    if isinstance(last, Recovery):
        found.ended.append(last)
        return
    outage: list[Suspension] = []
    for event in events:
        outage = [*outage, event] if isinstance(event, Suspension) else []
    is_new = any(each.repeated <= 1 for each in outage)
    (found.new if is_new else found.continuing).append(last)


def _subject(found: _Sorted) -> str:
    told = []
    if found.suspended:
        both = f" ({len(found.new)} new, {len(found.continuing)} continuing)"
        told.append(f"{_accounts(found.suspended)}{both if found.continuing else ''}")
    if found.ended:
        told.append(f"{len(found.ended)} ended")
    if found.lost:
        told.append(f"{_recordings(found.recordings)} lost")
    return f"FTP Suspension Digest: {', '.join(told)}"


def _suspensions(
    title: str, suspensions: Sequence[Suspension], *, hint: bool = False
) -> Iterable[str]:
    if not suspensions:
        return
    yield f"{title}: {_accounts(len(suspensions))}"
    groups = _grouped(suspensions, lambda each: each.code or _said(each))
    for group in groups:
        if len(group) > 1:
            yield f"{len(group)} x {_common_words(group)}{_whereabouts(group, hint=hint)}"
    rows = [_row(each) for group in groups for each in group]
    yield _table(("ACCOUNT", "FAILURES", "WAITING", "NEXT TRY", "LAST ERROR"), rows)


def _ended(recoveries: Sequence[Recovery]) -> Iterable[str]:
    if not recoveries:
        return
    yield f"ENDED: {_accounts(len(recoveries))} {_deliver(len(recoveries))} again"
    rows = [
        (
            message.one_line(each.account_id),
            message.span((each.at - each.since).total_seconds()),
            str(each.queued),
            _said(each),
        )
        for each in recoveries
    ]
    yield _table(("ACCOUNT", "OUTAGE OF", "STILL WAITING", "LAST ERROR BEFORE"), rows)


def _lost(found: _Sorted) -> Iterable[str]:
    if not found.lost:
        return
    yield (
        f"LOST BY OUR OWN FAULT: {_recordings(found.recordings)}. Mend the cause, then replay "
        "them: 'courier dead-letters replay'."
    )
    groups = _grouped(found.lost, lambda each: (each.account_id, each.cause))
    groups.sort(key=_count, reverse=True)
    rows = [
        (
            message.one_line(group[0].account_id),
            str(_count(group)),
            _words(group[-1].words) or _words(group[-1].cause),
            ", ".join(_examples(group)),
        )
        for group in groups
    ]
    yield _table(("ACCOUNT", "RECORDINGS", "WHY", "SUCH AS"), rows)


def _count(group: Iterable[Losses]) -> int:
    return sum(each.count for each in group)


def _examples(group: Iterable[Losses]) -> list[str]:
    named = [message.one_line(example) for each in group for example in each.examples]
    return named[:NAMED]


def _grouped(each_of: Sequence[T], by: Callable[[T], Hashable]) -> list[list[T]]:
    """Those of one cause together, the largest group first."""
    groups: defaultdict[Hashable, list[T]] = defaultdict(list)
    for each in each_of:
        groups[by(each)].append(each)
    return sorted(groups.values(), key=len, reverse=True)


def _common_words(group: Sequence[Suspension]) -> str:
    """What most of them were told last."""
    [(words, _)] = Counter(_said(each) or "(no words)" for each in group).most_common(1)
    return words.rstrip(".:")


def _whereabouts(group: Sequence[Suspension], *, hint: bool) -> str:
    hosts = {message.one_line(each.host).casefold() for each in group}
    if len(hosts) == 1:
        return f": all at {hosts.pop()}"
    is_ours = hint and len(group) >= MANY and len(hosts) >= MANY
    return ": look at our side first" if is_ours else ""


def _row(suspension: Suspension) -> Row:
    return (
        message.one_line(suspension.account_id),
        str(suspension.failures),
        str(suspension.queued),
        f"{message.told(suspension.until)}{', dormant' if suspension.dormant_since else ''}",
        _said(suspension),
    )


def _table(columns: Row, rows: Sequence[Row]) -> str:
    shown = [columns, *rows[:ROWS]]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [_aligned(row, widths) for row in shown]
    if len(rows) > ROWS:
        lines.append(f"and {len(rows) - ROWS} more")
    return "\n".join([*lines, ""])


def _aligned(row: Row, widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def _key(event: Digested) -> str:
    """With its time: an account may be removed and created again."""
    at = message.utc(event.at).isoformat("T", "seconds")
    if isinstance(event, Losses):
        return f"{event.account_id}\n{event.cause}\n{event.count}\n{at}"
    kind = "\nrecovery" if isinstance(event, Recovery) else ""
    return f"{event.account_id}\n{event.number}\n{at}{kind}"


def _said(alert: Suspension | Recovery) -> str:
    return _words(alert.operators_words or alert.words)


def _words(text: str) -> str:
    return message.one_line(text, _MAX_WORDS)


def _accounts(count: int) -> str:
    return f"{count} account{'' if count == 1 else 's'}"


def _recordings(count: int) -> str:
    return f"{count} recording{'' if count == 1 else 's'}"


def _deliver(count: int) -> str:
    return "delivers" if count == 1 else "deliver"
