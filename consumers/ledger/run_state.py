"""The running state of an account, as it was read, and what people see of it."""

from dataclasses import dataclass
from datetime import datetime

from config.accounts import Account, FtpSettings
from config.delivery_window import opening
from config.time_zones import zone_of
from consumers.delivery.policy import AccountView, State, recovers
from consumers.ledger.records import Claim, LastError


@dataclass(frozen=True)
class RunState:
    """An account's running state. `now` is the database's time of the reading."""

    state: State
    paused: bool
    failures: int
    outage_id: int
    """Counts the account's recoveries: what died since the last one, died in this outage."""
    suspensions: int
    suspended_until: datetime | None
    outage_retry_due: datetime | None
    last_error: LastError | None
    """What is to be mended first: the account's queue at the broker, what keeps it from logging in,
    or what its server said."""
    server_error: LastError | None
    waiting: LastError | None
    """What keeps it from logging in, and is no failure of its own."""
    change: int
    """Rises with each change of state: a failure from before it is told by it."""
    routed: int
    """Rises with each file that is published to the account's queue."""
    outage_since: datetime | None
    """The first suspension since the account has last delivered."""
    lasting_since: datetime | None
    """The same, or when somebody has last saved settings or said "try now" since then."""
    dormant_since: datetime | None
    """The outage has lasted for days: since then the account is tried rarely."""
    epoch: int
    """Of the ownership that has last worked it."""
    well_since: datetime | None
    """Since when it has been at work without a break; None: always. A moment to come: then it may
    work again."""
    opens_window: bool
    """Somebody has said "try now": the next session does not mind the delivery window."""
    login_refusal: LastError | None
    """Why its last login was refused that was asked for, unless one went well since."""
    login_refused_until: datetime | None
    """Until then its server is not asked again."""
    probing_since: datetime | None
    """Since when its probe asks: its timer was over, or somebody has done something for it."""
    traced_until: datetime | None
    """Until then a person listens to what is said to its server."""
    now: datetime
    paused_at: datetime | None = None
    """None: it is not paused, or was by an earlier version."""

    @property
    def recovers(self) -> bool:
        """Whether a delivered file changes it."""
        has_outage_dead_letters = self.outage_retry_due is not None
        return recovers(
            AccountView(self.state, self.failures, has_outage_dead_letters=has_outage_dead_letters)
        )

    @property
    def is_well(self) -> bool:
        """Whether it delivers, and has nothing to recover from."""
        return self.state is State.ACTIVE and not self.recovers

    @property
    def known_refusal(self) -> LastError | None:
        """What a login would meet that is not to be asked for: rule 28 of docs/rules.md."""
        return self.login_refusal if self.seconds_until(self.login_refused_until) > 0 else None

    @property
    def asks_since(self) -> datetime | None:
        """Since when it asks its server by a probe; None without one."""
        return self.probing_since if self.state is State.PROBING else None

    def was_well(self, claim: Claim) -> bool:
        """Whether nothing but us can have kept the file waiting: its account has been at work
        without a failure since it arrived, and no try of it has failed."""
        unbroken = self.well_since is None or self.well_since <= claim.created_at
        was_tried = claim.tries or claim.was_dead or claim.from_outage
        return unbroken and not (self.failures or was_tried)

    @property
    def lasts(self) -> float:
        """Seconds since `lasting_since`; 0 where there is no outage."""
        return (self.now - self.lasting_since).total_seconds() if self.lasting_since else 0.0

    def seconds_until(self, moment: datetime | None) -> float:
        """From the reading until the moment; 0 where it has passed or there is none."""
        return max(0.0, (moment - self.now).total_seconds()) if moment else 0.0


def shown_state(account: Account, run: RunState, *, permitted: bool) -> str:
    """The state as people see it: a switch that is off hides the running state."""
    if account.settings is None or not account.enabled or not permitted:
        return "disabled"
    return "paused" if run.paused else run.state.value


def window_opens_at(settings: FtpSettings | None, run: RunState) -> datetime | None:
    """When the account's delivery window opens next; None: it is open, there is none, or somebody
    has opened it once."""
    if settings is None or settings.delivery_window is None or run.opens_window:
        return None
    return opening(settings.delivery_window, zone_of(settings.time_zone), run.now)
