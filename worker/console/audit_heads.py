"""The sentences of the audit's actions, for those that read the same whatever the facts.

`%(who)s`, `%(account)s` and `%(target)s` are the entry's own; any other place is a fact, one of
before the change with `old_`. Two sentences are for one and for several (`%(count)s`).
"""

from collections.abc import Mapping

from config.audit import Action
from worker.console.audit_values import SERVER
from worker.console.language import mark as N_

Head = str | tuple[str, str]

HEADS: Mapping[str, Head] = {
    Action.ACCOUNT_CREATED: N_("%(who)s added the account %(account)s"),
    Action.ACCOUNT_RENAMED: N_("%(who)s renamed %(account)s from %(old_name)s to %(name)s"),
    Action.ACCOUNT_REMOVED: N_("%(who)s removed the account %(account)s"),
    Action.ACCOUNT_PAUSED: N_("%(who)s paused %(account)s"),
    Action.ACCOUNT_RESUMED: N_("%(who)s resumed %(account)s"),
    Action.ACCOUNT_TRIED_NOW: N_("%(who)s had %(account)s tried at once"),
    Action.ACCOUNT_TRACED: N_("%(who)s listened to what is said to the server of %(account)s"),
    Action.DEFAULT_METHOD_SET: N_(
        "%(who)s changed the way of recordings of %(account)s without a known number from "
        "%(old_default_method)s to %(default_method)s"
    ),
    Action.FTP_GRANTED: N_("%(who)s granted FTP access to %(account)s"),
    Action.FTP_REVOKED: N_("%(who)s revoked the FTP access of %(account)s"),
    Action.SETTINGS_ENABLED: N_("%(who)s switched the FTP settings of %(account)s on"),
    Action.SETTINGS_DISABLED: N_("%(who)s switched the FTP settings of %(account)s off"),
    Action.HOST_KEY_APPROVED: N_(
        "%(who)s approved what the server of %(account)s shows: %(host_keys)s"
    ),
    Action.KEY_GENERATED: N_("%(who)s made a new SSH key for %(account)s: %(new_key)s"),
    Action.KEY_IMPORTED: N_("%(who)s imported an SSH key for %(account)s: %(new_key)s"),
    Action.KEY_DISCARDED: N_("%(who)s discarded the new SSH key of %(account)s: %(old_new_key)s"),
    Action.NUMBER_REMOVED: N_("%(who)s took the number %(target)s from %(account)s"),
    Action.DEAD_LETTERS_REPLAYED: (
        N_("%(who)s replayed %(count)s dead letter of %(account)s"),
        N_("%(who)s replayed %(count)s dead letters of %(account)s"),
    ),
    Action.DEAD_LETTERS_DISCARDED: (
        N_("%(who)s discarded %(count)s dead letter of %(account)s"),
        N_("%(who)s discarded %(count)s dead letters of %(account)s"),
    ),
    Action.REDELIVERED: (
        N_("%(who)s sent %(count)s delivered recording of %(account)s once more"),
        N_("%(who)s sent %(count)s delivered recordings of %(account)s once more"),
    ),
    Action.INVALID_REPLAYED: (
        N_("%(who)s published %(count)s invalid event again"),
        N_("%(who)s published %(count)s invalid events again"),
    ),
    Action.INVALID_DISCARDED: (
        N_("%(who)s discarded %(count)s invalid event"),
        N_("%(who)s discarded %(count)s invalid events"),
    ),
    Action.USER_DISABLED: N_("%(who)s locked the user %(target)s out"),
    Action.USER_ENABLED: N_("%(who)s let the user %(target)s in again"),
    Action.USER_REMOVED: N_("%(who)s removed the user %(target)s"),
    Action.TOKEN_CREATED: N_("%(who)s made the token %(name)s"),
    Action.TOKEN_REVOKED: N_("%(who)s revoked the token %(old_name)s"),
    Action.PASSWORD_RESET: N_("%(who)s set a new password for %(target)s"),
    Action.PASSWORD_CHANGED: N_("%(who)s changed their password"),
    Action.PASSWORD_ASKED: N_("%(who)s asked for a link to a new password for %(target)s"),
    Action.PASSWORD_RENEWED: N_("%(who)s chose a new password by the link of an e-mail"),
    Action.FACTOR_ENABLED: N_("%(who)s set up a second factor"),
    Action.FACTOR_DISABLED: N_("%(who)s switched the second factor off"),
    Action.FACTOR_RESET: N_("%(who)s removed the second factor of %(target)s"),
    Action.FACTOR_FAILED: N_(
        "%(who)s knew the password of %(target)s and gave a code that is not right"
    ),
    Action.RECOVERY_CODES_MADE: N_("%(who)s made new recovery codes"),
    Action.RECOVERY_CODE_USED: N_("%(who)s signed in with a recovery code, %(left)s are left"),
    Action.SIGNED_IN: N_("%(who)s signed in"),
    Action.SIGNED_OUT: N_("%(who)s signed out"),
    Action.ALERTS_STOPPED: N_("%(who)s stopped the alerts of %(account)s to this address"),
    Action.ALERTS_RESUMED: N_("%(who)s wants the alerts of %(account)s again"),
    Action.ALERTS_CONFIRMED: N_("%(who)s agreed to get the alerts of %(account)s"),
    Action.ALERTS_TESTED: N_("%(who)s had a test e-mail about %(account)s sent to %(recipients)s"),
    Action.SECRETS_ROTATED: N_("%(who)s encrypted the stored secrets anew: %(rotated)s"),
}

FOR_CUSTOMERS: Mapping[str, str] = {
    N_("%(who)s replayed %(count)s dead letter of %(account)s"): N_(
        "%(who)s put %(count)s skipped file of %(account)s on its way again"
    ),
    N_("%(who)s replayed %(count)s dead letters of %(account)s"): N_(
        "%(who)s put %(count)s skipped files of %(account)s on their way again"
    ),
    N_("%(who)s discarded %(count)s dead letter of %(account)s"): N_(
        "%(who)s discarded %(count)s skipped file of %(account)s"
    ),
    N_("%(who)s discarded %(count)s dead letters of %(account)s"): N_(
        "%(who)s discarded %(count)s skipped files of %(account)s"
    ),
    N_("%(who)s began to replay %(of)s dead letter of %(account)s"): N_(
        "%(who)s began to put %(of)s skipped file of %(account)s on its way again"
    ),
    N_("%(who)s began to replay %(of)s dead letters of %(account)s"): N_(
        "%(who)s began to put %(of)s skipped files of %(account)s on their way again"
    ),
    N_("%(who)s began to discard %(of)s dead letter of %(account)s"): N_(
        "%(who)s began to discard %(of)s skipped file of %(account)s"
    ),
    N_("%(who)s began to discard %(of)s dead letters of %(account)s"): N_(
        "%(who)s began to discard %(of)s skipped files of %(account)s"
    ),
    N_("%(who)s stopped the replay of dead letters of %(account)s"): N_(
        "%(who)s stopped putting skipped files of %(account)s on their way again"
    ),
    N_("%(who)s stopped discarding dead letters of %(account)s"): N_(
        "%(who)s stopped discarding skipped files of %(account)s"
    ),
}
"""What customers read instead: their word for a dead letter is "skipped"."""

OF_SEVERAL = {
    Action.DEAD_LETTERS_REPLAYED,
    Action.DEAD_LETTERS_DISCARDED,
    Action.BULK_BEGUN,
    Action.BULK_STOPPED,
}
"""Without an account they are about several, and not about the service provider."""

QUIET = {Action.SETTINGS_REMOVED}
"""Whose facts are not told: the sentence says enough."""

IMPLIED: Mapping[str, tuple[str, ...]] = {
    Action.ACCOUNT_CREATED: ("enabled",),
    Action.FTP_GRANTED: ("ftp_access",),
    Action.FTP_REVOKED: ("ftp_access",),
    Action.SETTINGS_ENABLED: ("enabled",),
    Action.SETTINGS_DISABLED: ("enabled",),
    Action.NUMBER_SET: ("account_id",),
    Action.NUMBER_REMOVED: ("method",),
    Action.USER_CREATED: ("read_only",),
    Action.USER_ROLE_SET: ("read_only",),
    Action.SETTINGS_TESTED: (*SERVER, "result", "cause"),
    Action.BULK_BEGUN: ("act",),
    Action.BULK_STOPPED: ("act",),
    Action.BULK_ENDED: ("act",),
    Action.FACTOR_GUESSED: ("told",),
    Action.PASSWORD_RESET: ("password",),
    Action.PASSWORD_CHANGED: ("password",),
    Action.PASSWORD_RENEWED: ("password",),
}
"""Facts that the sentence says without their value."""
