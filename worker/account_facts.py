"""One account with its running state and its files, read together for whoever shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from config.accounts import Account
from config.time_zones import zone_of
from consumers.delivery.policy import State
from consumers.ledger import (
    NO_FILES,
    AccountSummary,
    Counts,
    Disabled,
    LastError,
    RunState,
    shown_state,
    why_disabled,
    window_opens_at,
)
from worker.database import Core

_WHY_DISABLED = {
    Disabled.NOT_GRANTED: "The account has no FTP access: it was not granted. Files stay queued "
    "until it has.",
    Disabled.NOT_GRANTED_ABOVE: "The account has no FTP access: an account above it has none. "
    "Files stay queued until it has.",
    Disabled.NO_SETTINGS: "No FTP settings are stored yet. Files stay queued until there are.",
    Disabled.SWITCHED_OFF: "The FTP settings are switched off. Files stay queued until they are "
    "switched on.",
}


@dataclass(frozen=True)
class AccountFacts:
    """An account with its running state and its files, read together."""

    account: Account
    run: RunState
    permitted: bool
    counts: Counts
    connects_from: tuple[str, ...] = ()
    """What the customer lets in at a firewall; empty where the operator does not say."""

    @property
    def state(self) -> str:
        """The state as people see it."""
        return shown_state(self.account, self.run, permitted=self.permitted)

    @property
    def dormant_since(self) -> datetime | None:
        """Since when it is suspended so that it is tried rarely; None: it is not."""
        is_shown = self.state in {State.SUSPENDED, State.PROBING}
        return self.run.dormant_since if is_shown else None

    @property
    def window_opens_at(self) -> datetime | None:
        """When its delivery window opens; None: it is open, or nothing depends on it now."""
        waits = self.state in {State.ACTIVE, State.SUSPENDED, State.PROBING}
        return window_opens_at(self.account.settings, self.run) if waits else None

    @property
    def told_opening(self) -> str:
        """The same for a person: by the clock in the account's zone."""
        settings, moment = self.account.settings, self.window_opens_at
        if settings is None or moment is None:
            return ""
        there = moment.astimezone(zone_of(settings.time_zone))
        return f"{there:%A} {there:%Y-%m-%d %H:%M} ({settings.time_zone})"

    @property
    def held(self) -> LastError | None:
        """What keeps an active account waiting, and is no failure of its own; None: nothing."""
        is_free = self.state == State.ACTIVE and self.window_opens_at is None
        return self.run.last_error if is_free and not self.run.failures else None

    @property
    def disabled(self) -> tuple[Disabled, ...]:
        """All reasons why it is disabled; empty where it is not."""
        return why_disabled(
            has_access=self.account.ftp_access,
            permitted=self.permitted,
            has_settings=self.account.settings is not None,
            enabled=self.account.enabled,
        )

    @property
    def why_disabled(self) -> str:
        """The first of the reasons in a sentence; empty where it is not disabled."""
        return _WHY_DISABLED[self.disabled[0]] if self.disabled else ""

    @property
    def is_also_paused(self) -> bool:
        """Whether it is disabled, and paused as well: that is left when the reasons are mended."""
        return bool(self.disabled) and self.run.paused

    @property
    def queued(self) -> int:
        """The files on their way."""
        return self.counts.queued

    @property
    def oldest_queued_seconds(self) -> float:
        """The age of the oldest file on its way; 0 where there is none."""
        oldest = self.counts.oldest
        return max(0.0, (self.run.now - oldest).total_seconds()) if oldest else 0.0

    @property
    def dead_letters(self) -> int:
        """The files that were given up for now."""
        return self.counts.dead_letters


def read_account(core: Core, account_id: str) -> AccountFacts:
    """One account. Raises UnknownAccount."""
    account = core.directory.get(account_id)
    return AccountFacts(
        account,
        core.ledger.accounts.read(account_id),
        core.directory.may_use_ftp(account),
        core.ledger.queries.counts(account_id),
        core.settings.connects_from,
    )


def read_state(core: Core, account_id: str) -> AccountFacts:
    """The same without its files, which need not be counted then. Raises UnknownAccount."""
    account = core.directory.get(account_id)
    permitted = core.directory.may_use_ftp(account)
    run = core.ledger.accounts.read(account_id)
    return AccountFacts(account, run, permitted, NO_FILES, core.settings.connects_from)


def read_listed(core: Core, listed: Sequence[AccountSummary]) -> dict[str, AccountFacts]:
    """The accounts of one page of a list, by id, with one query; one whose settings
    cannot be used is left out."""
    loaded = core.ledger.accounts.load_all([each.account_id for each in listed])
    facts = {}
    for each in listed:
        match loaded.get(each.account_id):
            case Account() as account, run:
                facts[each.account_id] = AccountFacts(
                    account, run, each.permitted, each.counts, core.settings.connects_from
                )
    return facts
