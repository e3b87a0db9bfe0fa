"""What servers say of each cause, as `tests/contract/test_refusals.py` hears it of real ones.

Rows that are not `heard` are of servers that the tests cannot run: by their makers' pages and
sources.
"""

from typing import NamedTuple

from transports import errors
from transports.errors import TransferError


class Sentence(NamedTuple):
    """Who says it, of what, and which error it is; "…" in the words is what varies."""

    server: str
    cause: str
    error: type[TransferError]
    words: str
    heard: bool = True


_HEARD = (
    Sentence(
        "ProFTPD mod_ban", "address-blocked", errors.LoginRefused, "530 Host … has been banned"
    ),
    Sentence("vsftpd", "login-refused", errors.LoginRefused, "530 Login incorrect."),
    Sentence("ProFTPD", "login-refused", errors.LoginRefused, "530 Login incorrect."),
    Sentence("pure-ftpd", "login-refused", errors.LoginRefused, "530 Login authentication failed"),
    Sentence("inetutils-ftpd", "login-refused", errors.LoginRefused, "530 Login incorrect."),
    Sentence("ftp-srv", "login-refused", errors.LoginRefused, "530 Login incorrect"),
    Sentence("pyftpdlib", "login-refused", errors.LoginRefused, "530 Authentication failed."),
    Sentence("Twisted", "login-refused", errors.LoginRefused, "530 Sorry, Authentication failed."),
    Sentence("OpenSSH", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence("mod_sftp", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence("dropbear", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence("asyncssh", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence("ssh2", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence(
        "rclone serve ftp",
        "login-refused",
        errors.LoginRefused,
        "530 Incorrect password, not logged in",
    ),
    Sentence("rclone serve sftp", "login-refused", errors.LoginRefused, "Authentication failed."),
    Sentence("nobody", "connection-refused", errors.ConnectFailed, "Connection refused"),
    Sentence(
        "a web server, asked for SFTP",
        "http-answers",
        errors.StrangerAnswers,
        '<!DOCTYPE HTML> <html lang="en"> <head> <meta charset="utf-8"> <title>Error res…',
    ),
    Sentence(
        "a web server, asked for FTP",
        "http-answers",
        errors.StrangerAnswers,
        '<!DOCTYPE HTML> <html lang="en"> <head> <meta charset="utf-8">',
    ),
    Sentence(
        "vsftpd",
        "ftp-answers",
        errors.FtpAnswers,
        "220 (vsFTPd …) 530 Please login with USER and PASS.",
    ),
    Sentence("OpenSSH", "ssh-answers", errors.SshAnswers, "SSH-2.0-OpenSSH_…"),
    Sentence("vsftpd", "no-tls", errors.NoTlsAnswers, "530 Please login with USER and PASS."),
    Sentence("ProFTPD", "no-tls", errors.NoTlsAnswers, "500 AUTH not understood"),
    Sentence(
        "pure-ftpd", "no-tls", errors.NoTlsAnswers, "500 This security scheme is not implemented"
    ),
    Sentence("vsftpd", "tls-begins-later", errors.PlainAnswers, "The server greets in clear"),
    Sentence(
        "vsftpd",
        "encryption-asked",
        errors.EncryptionAsked,
        "530 Non-anonymous sessions must use encryption.",
    ),
    Sentence(
        "ProFTPD",
        "encryption-asked",
        errors.EncryptionAsked,
        "550 SSL/TLS required on the control channel",
    ),
    Sentence(
        "pure-ftpd",
        "encryption-asked",
        errors.EncryptionAsked,
        "421-Sorry, cleartext sessions and weak ciphers are not accepted on this server. 421 "
        "Please reconnect using TLS security mechanisms.",
    ),
    Sentence(
        "vsftpd",
        "implicit-tls-asked",
        errors.ImplicitTlsAsked,
        "The server waits for a TLS handshake",
    ),
    Sentence(
        "vsftpd",
        "certificate-untrusted",
        errors.CertificateUntrusted,
        "The certificate is not trusted: unable to get local issuer certificate; it was issued "
        "by …",
    ),
    Sentence("pyftpdlib", "data-port-closed", errors.DataConnectFailed, "Connection refused"),
    Sentence("vsftpd", "user-not-permitted", errors.LoginRefused, "530 Permission denied."),
    Sentence(
        "vsftpd", "anonymous-only", errors.LoginRefused, "530 This FTP server is anonymous only."
    ),
    Sentence(
        "vsftpd",
        "home-directory-missing",
        errors.LoginRefused,
        "500 OOPS: cannot change directory:/nowhere",
    ),
    Sentence(
        "pure-ftpd",
        "home-directory-missing",
        errors.ServerBusy,
        "421 Home directory not available - aborting",
    ),
    Sentence(
        "vsftpd",
        "writable-root",
        errors.LoginRefused,
        "500 OOPS: vsftpd: refusing to run with writable root inside chroot()",
    ),
    Sentence(
        "vsftpd, max_clients",
        "too-many-connections",
        errors.ServerBusy,
        "421 There are too many connected users, please try later.",
    ),
    Sentence(
        "vsftpd, max_per_ip",
        "too-many-connections",
        errors.ServerBusy,
        "421 There are too many connections from your internet address.",
    ),
    Sentence(
        "ProFTPD",
        "too-many-connections",
        errors.ServerBusy,
        "530 Sorry, the maximum number of clients (1) for this user are already connected.",
    ),
    Sentence(
        "pure-ftpd",
        "too-many-connections",
        errors.ServerBusy,
        "421 Too many connections (1) from this IP",
    ),
    Sentence(
        "pyftpdlib",
        "too-many-connections",
        errors.ServerBusy,
        "421 Too many connections from the same IP address.",
    ),
    Sentence(
        "OpenSSH",
        "account-expired",
        errors.LoginRefused,
        "Your account has expired; please contact your system administrator.",
    ),
    Sentence(
        "OpenSSH",
        "password-expired",
        errors.LoginRefused,
        "You are required to change your password immediately (administrator enforced).",
    ),
    Sentence(
        "OpenSSH",
        "no-login-shell",
        errors.StartupText,
        "Before SFTP began, the server printed: This account is currently not available.",
    ),
    Sentence(
        "vsftpd", "disk-write-failed", errors.AccountFailure, "451 Failure writing to local file."
    ),
    Sentence(
        "ProFTPD",
        "disk-full",
        errors.QuotaExceeded,
        "452 Transfer aborted. No space left on device",
    ),
    Sentence(
        "pure-ftpd",
        "disk-write-failed",
        errors.AccountFailure,
        "451-Error during write to file 451 Transfer aborted",
    ),
    Sentence(
        "inetutils-ftpd",
        "disk-full",
        errors.QuotaExceeded,
        "452 Error writing file: No space left on device.",
    ),
    Sentence("OpenSSH", "no-room", errors.QuotaExceeded, "Failure"),
    Sentence("mod_sftp", "disk-full", errors.QuotaExceeded, "Out of disk space"),
    Sentence(
        "vsftpd, disk read-only", "not-writable", errors.PathRefused, "553 Could not create file."
    ),
    Sentence(
        "ProFTPD", "read-only", errors.PathRefused, "550 courier-test-….part: Read-only file system"
    ),
    Sentence(
        "pure-ftpd",
        "read-only",
        errors.PathRefused,
        "553 Can't open that file: Read-only file system",
    ),
    Sentence(
        "inetutils-ftpd",
        "read-only",
        errors.PathRefused,
        "553 courier-test-….part: Read-only file system.",
    ),
    Sentence("OpenSSH, disk read-only", "server-refuses", errors.AccountFailure, "Failure"),
    Sentence("mod_sftp, disk read-only", "server-refuses", errors.AccountFailure, "Failure"),
    Sentence("vsftpd", "not-writable", errors.PathRefused, "553 Could not create file."),
    Sentence(
        "ProFTPD", "not-writable", errors.PathRefused, "550 courier-test-….part: Permission denied"
    ),
    Sentence(
        "pure-ftpd",
        "not-writable",
        errors.PathRefused,
        "553 Can't open that file: Permission denied",
    ),
    Sentence(
        "inetutils-ftpd",
        "not-writable",
        errors.PathRefused,
        "553 courier-test-….part: Permission denied.",
    ),
    Sentence("OpenSSH", "not-writable", errors.PathRefused, "Permission denied"),
    Sentence("mod_sftp", "not-writable", errors.PathRefused, "Permission denied"),
    Sentence(
        "ProFTPD",
        "folder-missing",
        errors.PathRefused,
        "550 nowhere/call.part: No such file or directory",
    ),
    Sentence(
        "pure-ftpd",
        "folder-missing",
        errors.PathRefused,
        "553 Can't open that file: No such file or directory",
    ),
    Sentence(
        "inetutils-ftpd",
        "folder-missing",
        errors.PathRefused,
        "553 nowhere/call.part: No such file or directory.",
    ),
    Sentence("pyftpdlib", "folder-missing", errors.PathRefused, "550 No such file or directory."),
    Sentence("OpenSSH", "folder-missing", errors.PathRefused, "No such file"),
    Sentence("mod_sftp", "folder-missing", errors.PathRefused, "No such file"),
    Sentence("asyncssh", "folder-missing", errors.PathRefused, "No such file or directory"),
    Sentence(
        "pure-ftpd",
        "quota-exceeded",
        errors.QuotaExceeded,
        "552-Transfer aborted (quota) … 552 Quota exceeded: [call.part] won't be saved",
    ),
    Sentence(
        "ProFTPD", "file-too-large", errors.QuotaExceeded, "552 Transfer aborted. File too large"
    ),
    Sentence("ProFTPD", "name-forbidden", errors.PathRefused, "550 call.part: Forbidden filename"),
    Sentence(
        "pure-ftpd", "name-forbidden", errors.PathRefused, "553 Prohibited file name: .call.part"
    ),
    Sentence("ProFTPD", "name-too-long", errors.PathRefused, "550 ….part: File name too long"),
    Sentence(
        "pure-ftpd",
        "name-too-long",
        errors.PathRefused,
        "553 Can't open that file: File name too long",
    ),
    Sentence(
        "inetutils-ftpd", "name-too-long", errors.PathRefused, "553 ….part: File name too long."
    ),
    Sentence("OpenSSH", "name-too-long", errors.AccountFailure, "Bad message"),
    Sentence("mod_sftp", "name-forbidden", errors.AccountFailure, "Invalid filename"),
    Sentence(
        "pure-ftpd", "user-not-permitted", errors.LoginRefused, "530 Sorry, but I can't trust you"
    ),
    Sentence("OpenSSH", "rename-refused", errors.NameRefused, "Permission denied"),
    Sentence(
        "ProFTPD", "rename-refused", errors.NameRefused, "550 call.wav: Operation not permitted"
    ),
)

_READ = (
    Sentence(
        "IIS",
        "home-directory-missing",
        errors.LoginRefused,
        "530 User cannot log in, home directory inaccessible.",
    ),
    Sentence("IIS", "encryption-asked", errors.EncryptionAsked, "534 Policy requires SSL."),
    Sentence("IIS", "not-writable", errors.PathRefused, "550 Access is denied."),
    Sentence(
        "IIS",
        "folder-missing",
        errors.PathRefused,
        "550 The system cannot find the path specified.",
    ),
    Sentence("IIS", "disk-full", errors.PathRefused, "550 There is not enough space on the disk."),
    Sentence(
        "IIS",
        "name-forbidden",
        errors.NameRefused,
        "550 The filename, directory name, or volume label syntax is incorrect.",
    ),
    Sentence(
        "FileZilla Server",
        "encryption-asked",
        errors.EncryptionAsked,
        "530 This server does not allow plain FTP. You have to use FTP over TLS.",
    ),
    Sentence(
        "FileZilla Server",
        "tls-session-not-reused",
        errors.ConnectFailed,
        "425 Unable to build data connection: TLS session of data connection not resumed.",
    ),
    Sentence(
        "FileZilla Server 0.9",
        "tls-session-not-reused",
        errors.AccountFailure,
        "450 TLS session of data connection has not resumed or the session does not match the "
        "control connection",
    ),
    Sentence(
        "vsftpd",
        "tls-session-not-reused",
        errors.TlsFailed,
        "522 SSL connection failed; session reuse required: see require_ssl_reuse option in "
        "vsftpd.conf man page",
    ),
    Sentence(
        "ProFTPD",
        "tls-session-not-reused",
        errors.ConnectFailed,
        "425 Unable to build data connection: Operation not permitted",
    ),
    Sentence(
        "vsftpd", "no-data-connection", errors.ConnectFailed, "425 Failed to establish connection."
    ),
    Sentence("vsftpd", "idle-limit", errors.ConnectionLost, "421 Timeout."),
    Sentence(
        "pure-ftpd",
        "idle-limit",
        errors.ConnectionLost,
        "421 Timeout - try typing a little faster next time",
    ),
    Sentence(
        "ProFTPD mod_quotatab",
        "quota-exceeded",
        errors.QuotaExceeded,
        "552 STOR denied: quota exceeded: used … of … upload bytes",
    ),
    Sentence(
        "ProFTPD mod_clamav",
        "antivirus",
        errors.PathRefused,
        "550 Virus Detected and Removed: …",
    ),
    Sentence("OpenSSH 9.8 and later", "turned-away", errors.ServerBusy, "Not allowed at this time"),
    Sentence(
        "OpenSSH, MaxStartups", "too-many-connections", errors.ServerBusy, "Exceeded MaxStartups"
    ),
    Sentence(
        "pam_faillock, where a server hands it on",
        "account-locked",
        errors.LoginRefused,
        "The account is locked due to … failed logins.",
    ),
    Sentence(
        "the platform's resolver",
        "name-not-answered",
        errors.ResolveFailed,
        "Temporary failure in name resolution",
    ),
    Sentence("the platform's system", "no-answer", errors.ConnectFailed, "Connection timed out"),
    Sentence("the platform's system", "no-route", errors.ConnectFailed, "No route to host"),
)
"""Not heard by the tests: their makers' words, from their pages and sources."""

SAID = (*_HEARD, *(each._replace(heard=False) for each in _READ))
