"""Causes of refused logins that only the server's words tell; the first that fits counts."""

from transports.diagnosis import files, login, reaching
from transports.diagnosis.entry import Entry

_REFUSED = (login.LOGIN_REFUSED, login.INTERACTIVE_OFFERED)

TOO_MANY_CONNECTIONS = Entry(
    "too-many-connections",
    "The server has as many connections as it takes, of all or of this user or address.",
    "Have the server take more connections of this user, or set Uploads at once to fewer.",
    narrows=(files.BUSY, *_REFUSED),
    says=(
        "too many connections",
        "too many connected users",
        "too many users",
        "too many clients",
        "too many sessions",
        "maximum number",
        "(the maximum)",
        "connection limit",
        "can't accept more than",
        "exceeded maxstartups",
    ),
)
TURNED_AWAY = Entry(
    "turned-away",
    "OpenSSH turns the platform away before it greets: too many logins are under way, or logins "
    "from the platform's address have failed too often.",
    "Have MaxStartups raised and the platform's addresses exempted (PerSourcePenaltyExemptList), "
    "and make sure that no account on this server has a wrong password.",
    narrows=(files.BUSY, files.CUT),
    says=("not allowed at this time",),
)
ADDRESS_BLOCKED = Entry(
    "address-blocked",
    "The server has blocked the platform's address, for a while or for good.",
    "Have the platform's addresses taken off the server's list of blocked ones (fail2ban, "
    "PerSourcePenalties of OpenSSH, mod_ban of ProFTPD), and make sure that no account on this "
    "server has a wrong password.",
    narrows=(files.BUSY, files.CUT, reaching.NOT_REACHED, *_REFUSED),
    says=(
        "banned",
        "address … blocked",
        "ip … blocked",
        "blacklisted",
        "host … not allowed",
        "address … denied",
    ),
)
PASSWORD_EXPIRED = Entry(
    "password-expired",
    "The user's password has expired at the server.",
    "Have the user's password renewed at the server, and enter the new one here; best one that "
    "does not expire.",
    narrows=(*_REFUSED, login.SECOND_FACTOR_WANTED, files.CUT),
    says=(
        "password … expired",
        "expired password",
        "expired … change your password",
        "password must be changed",
        "must change your password",
        "required to change your password",
        "new password",
        "it may have expired",
    ),
)
ACCOUNT_EXPIRED = Entry(
    "account-expired",
    "The user's account has expired at the server.",
    "Have the server's administrator extend the user's account.",
    narrows=(*_REFUSED, files.CUT),
    says=("account … expired", "user … expired"),
)
ACCOUNT_LOCKED = Entry(
    "account-locked",
    "The user is locked at the server.",
    "Have the server's administrator unlock the user. After wrong passwords many servers lock it "
    "for a while: check the password here as well.",
    narrows=(*_REFUSED, files.CUT),
    says=(
        "is locked",
        "been locked",
        "locked out",
        "account locked",
        "user locked",
        "account … disabled",
        "user … disabled",
        "account … suspended",
        "account … not active",
        "account … inactive",
    ),
)
HOME_MISSING = Entry(
    "home-directory-missing",
    "The user's home directory is missing at the server, or closed to the user.",
    "Have the server's administrator make the user's home directory, and let the user enter it.",
    narrows=(
        *_REFUSED,
        files.SERVER_REFUSES,
        files.BUSY,
        files.CUT,
        reaching.NO_COMMON_LANGUAGE,
    ),
    says=(
        "home directory",
        "home dir",
        "home folder",
        "cannot change directory",
        "can't change directory",
        "can't change root",
        "no access to root directory",
    ),
)
WRITABLE_ROOT = Entry(
    "writable-root",
    "vsftpd confines the user to a folder that the user may write to, which it refuses.",
    "Take the right to write away from the user's home directory and let recordings go to a folder "
    "in it, or set allow_writeable_chroot=YES.",
    narrows=(*_REFUSED, files.SERVER_REFUSES, files.CUT, reaching.NO_COMMON_LANGUAGE),
    says=("writable root inside chroot", "writeable root inside chroot"),
)
ANONYMOUS_ONLY = Entry(
    "anonymous-only",
    "The server lets nobody in but anonymous guests.",
    "Have the server let its users log in (local_enable=YES of vsftpd), or give another server.",
    narrows=_REFUSED,
    says=("anonymous only", "only anonymous", "anonymous logins only", "only offer anonymous"),
)
NOT_PERMITTED = Entry(
    "user-not-permitted",
    "The server knows the user, and does not let it use this service.",
    "Have the server's administrator permit this user (the userlist of vsftpd, /etc/ftpusers, "
    "AllowUsers of OpenSSH, authorization rules of IIS).",
    narrows=_REFUSED,
    says=(
        "530 permission denied",
        "can't trust you",
        "access denied",
        "not allowed to log",
        "not authorized",
    ),
)
