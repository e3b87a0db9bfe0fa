"""Why the server is not reached, or what answers there is not what the settings say."""

from transports.diagnosis import files
from transports.diagnosis.entry import Entry, Whose

NAME_NOT_FOUND = Entry(
    "name-not-found",
    "The server's name has no address.",
    "Check the server's address: its name could not be resolved.",
)
NAME_NOT_ANSWERED = Entry(
    "name-not-answered",
    "No name server has answered for the server's name.",
    "Check the name servers of the domain; where other servers are not found either, the "
    "platform's operators have to check its resolver.",
    Whose.NETWORK,
    narrows=(NAME_NOT_FOUND,),
    says=("temporary failure in name resolution", "resolver does not answer", "no answer of the"),
    for_customers="Check the name servers of the domain. Where they answer, there is nothing for "
    "you to do: the files wait, and are tried again by themselves.",
)
ADDRESS_NOT_ALLOWED = Entry(
    "address-not-allowed",
    "The server's address is one that the platform does not connect to.",
    "The platform does not connect to this address: use one that is public.",
)
NOT_REACHED = Entry(
    "not-reached",
    "No connection to the server could be made.",
    "Check that the server is running and that its firewall lets the platform in.",
    Whose.NETWORK,
)
FAMILY_NOT_REACHED = Entry(
    "address-family-not-reached",
    "The server has addresses of IPv4 only, or of IPv6 only, and the platform has only the other.",
    "Give a host that has an address of the other kind as well, IPv4 or IPv6.",
)
BLOCKED_FOR_A_WHILE = Entry(
    "address-blocked-for-a-while",
    "The server has blocked the address of the platform for a while, whatever the account.",
    "Nothing is lost: the files wait, and go by themselves once the server lets the platform in "
    "again. Servers do so after failed logins, be they another account's: mend that one, and have "
    "the server exempt the platform's address (OpenSSH: PerSourcePenaltyExemptList).",
)
CONNECTION_REFUSED = Entry(
    "connection-refused",
    "The host refuses connections to this port.",
    "Check that the server is running, that it listens at this port, and that its firewall lets "
    "the platform in.",
    narrows=(NOT_REACHED,),
    says=("connection refused",),
)
NO_ANSWER = Entry(
    "no-answer",
    "Nothing answers at this address and port: firewalls that drop packets look like this.",
    "Have the firewall before the server let the platform's addresses in at this port, and check "
    "that the host is running.",
    Whose.NETWORK,
    narrows=(NOT_REACHED,),
    says=("connection timed out", "operation timed out"),
)
NO_GREETING = Entry(
    "no-greeting",
    "The server takes the connection, and then says nothing.",
    "Check that the server's program runs and is not overloaded, and that host and port are those "
    "of its FTP or SFTP service: a device on the way may answer in its place.",
)
NO_ROUTE = Entry(
    "no-route",
    "No way leads to the server's address.",
    "Check the address and the routes to it: routers or a firewall on the way say that it cannot "
    "be reached.",
    Whose.NETWORK,
    narrows=(NOT_REACHED,),
    says=("no route to host", "network is unreachable", "host is down", "network is down"),
)
DATA_PORT_CLOSED = Entry(
    "data-port-closed",
    "The login works, and the connections on which files travel do not: the server's ports for "
    "passive transfers are closed on the way.",
    "Have the firewall open the ports for passive transfers too, the range that the server is set "
    "to (pasv_min_port and pasv_max_port of vsftpd, PassivePorts of ProFTPD).",
    Whose.NETWORK,
)
NOT_CALLED_BACK = Entry(
    "not-called-back",
    "In Active Mode the server connects to the platform for each file, and does not.",
    "Check that the server takes active transfers, and that the firewalls at both ends let it "
    "connect to the address and port that it is told; or switch Active Mode off.",
    Whose.NETWORK,
)

TLS_FAILED = Entry(
    "tls-failed",
    "No TLS session with the server came about.",
    "Check the server's certificate and TLS settings.",
)
TLS_TOO_OLD = Entry(
    "tls-too-old",
    "The server speaks no version of TLS that is safe.",
    "Have the server speak TLS 1.2 or 1.3: no older version is safe. No password was sent.",
)
CLIENT_CERTIFICATE_REFUSED = Entry(
    "client-certificate-refused",
    "The server asks for a certificate of the client.",
    "The server wants a client certificate: give it one (Client Certificate, Client Key), or have "
    "it ask for the password alone.",
)
CLIENT_CERTIFICATE_NOT_ACCEPTED = Entry(
    "client-certificate-not-accepted",
    "The server does not take the account's client certificate.",
    "Check that the server trusts the authority that issued the client certificate, that the "
    "certificate has not ended, and that it is for this user.",
)
CLIENT_CERTIFICATE_ENDED = Entry(
    "client-certificate-ended",
    "The account's client certificate has ended, and the server does not take it any more.",
    "Have the authority issue another client certificate for the account, and save it in the FTP "
    "settings (Client Certificate; with a new key also Client Key).",
)
HANDSHAKE_REFUSED = Entry(
    "tls-handshake-refused",
    "The server breaks off while TLS begins.",
    "Check the server's TLS settings: it has no cipher in common with the platform, or it wants a "
    "client certificate (Client Certificate, Client Key).",
)
DATA_IN_CLEAR = Entry(
    "data-in-clear",
    "The server would take files without encryption.",
    "Have the server encrypt data connections too (PROT P): no file is sent in clear.",
)
CERTIFICATE_REFUSED = Entry(
    "certificate-refused",
    "The server's certificate is not valid.",
    "Have the server show a certificate that is valid. No password was sent.",
)
CERTIFICATE_EXPIRED = Entry(
    "certificate-expired",
    "The server's certificate has expired.",
    "Have the server's certificate renewed. No password was sent.",
)
CERTIFICATE_NOT_YET_VALID = Entry(
    "certificate-not-yet-valid",
    "The server's certificate is not valid yet.",
    "Have the server show a certificate that is valid already. No password was sent.",
)
CERTIFICATE_OF_ANOTHER = Entry(
    "certificate-of-another",
    "The server's certificate is for another name.",
    "Give the host by a name that its certificate has, or have the server show a certificate for "
    "this name. No password was sent.",
)
CERTIFICATE_UNTRUSTED = Entry(
    "certificate-untrusted",
    "The server's certificate comes from no authority that is trusted.",
    "If the company has an authority of its own, put its certificate into CA Certificates. If the "
    "server has made its certificate itself, compare the fingerprint with the one that its "
    "administrator tells, and put it into Host Keys. No password was sent.",
)
HOST_KEY_CHANGED = Entry(
    "host-key-changed",
    "The server shows another host key than the one that is stored.",
    "If the server has a new key on purpose, save its fingerprint in the account's host keys, with "
    "each stored one that stays right; if not, somebody may be standing in its place. No password "
    "was sent.",
)
CERTIFICATE_CHANGED = Entry(
    "certificate-changed",
    "The server shows another certificate than the one that is stored.",
    "If the server has a new certificate on purpose, save its fingerprint in the account's host "
    "keys, with each stored one that stays right; if not, somebody may be standing in its place. "
    "No password was sent.",
)

NO_COMMON_LANGUAGE = Entry(
    "no-common-language",
    "What the server says is not the protocol that was chosen.",
    "Check protocol and port: the server and the platform have no common language.",
)
NO_SFTP = Entry(
    "no-sftp",
    "The login works, and the server offers no SFTP to this user.",
    "Have the server switch its SFTP subsystem on for this user (Subsystem sftp of OpenSSH).",
)
FTP_ANSWERS = Entry(
    "ftp-answers",
    "An FTP server answers, where SFTP was chosen.",
    "An FTP server answers here: choose FTP, or another port.",
)
SSH_ANSWERS = Entry(
    "ssh-answers",
    "An SSH server answers, where FTP was chosen.",
    "An SFTP server answers here: choose SFTP, or another port.",
)
NO_TLS_ANSWERS = Entry(
    "no-tls",
    "The server speaks no TLS.",
    "FTPS is not spoken here: choose FTP, or have TLS switched on at the server. No password was "
    "sent.",
)
PLAIN_ANSWERS = Entry(
    "tls-begins-later",
    "The server greets in clear, where TLS from the first byte on was chosen.",
    "An FTP server without TLS from the first byte answers here: choose FTPS (explicit), or the "
    "port of FTPS (implicit), which mostly is 990.",
)
STRANGER_ANSWERS = Entry(
    "another-service",
    "Another service answers at this port.",
    "What answers here is no FTP or SFTP server: check host and port.",
)
HTTP_ANSWERS = Entry(
    "http-answers",
    "A web server answers at this port.",
    "A web server answers here: give the host and the port of the FTP or SFTP server.",
    narrows=(STRANGER_ANSWERS,),
    says=("http/1.", "http/2", "<!doctype html", "<html"),
)
STARTUP_TEXT = Entry(
    "startup-text",
    "The login prints text where SFTP should begin.",
    "Startup files of this user on the server (.bashrc, .profile and the like) print text at every "
    "login: have them print to terminals only, or give the user an SFTP-only login.",
)
NO_LOGIN_SHELL = Entry(
    "no-login-shell",
    "The user's login shell lets nobody in, and the server needs it to start SFTP.",
    "Have the server start SFTP without the shell (Subsystem sftp internal-sftp of OpenSSH), or "
    "give the user a shell.",
    narrows=(STARTUP_TEXT,),
    says=("account is currently not available", "account is not available", "login is disabled"),
)
ENCRYPTION_ASKED = Entry(
    "encryption-asked",
    "The server takes no login without encryption.",
    "The server asks for encryption: choose FTPS (explicit), or SFTP where it has that.",
)
IMPLICIT_TLS_ASKED = Entry(
    "implicit-tls-asked",
    "The server waits for TLS from the first byte on.",
    "The server speaks TLS from the first byte: choose FTPS (implicit), or another port.",
)
SESSION_REUSE = Entry(
    "tls-session-not-reused",
    "The server did not recognise the TLS session on the connection on which a file travels.",
    "The platform shows the session of the login again, as servers ask: have the server keep "
    "sessions for longer, or not insist (require_ssl_reuse=NO of vsftpd, NoSessionReuseRequired of "
    "ProFTPD).",
    narrows=(TLS_FAILED, ENCRYPTION_ASKED, NOT_REACHED, DATA_PORT_CLOSED, files.SERVER_REFUSES),
    says=(
        "session reuse",
        "session … not resumed",
        "session … has not resumed",
        "unable to build data connection: operation not permitted",
    ),
)
NO_PASSIVE = Entry(
    "no-passive-transfers",
    "The server offers no passive transfers, the only ones that pass most firewalls.",
    "Have passive transfers switched on at the server (EPSV, PASV), and their ports opened; or "
    "switch Active Mode on for the account, where the platform offers it.",
)
NO_DATA_CONNECTION = Entry(
    "no-data-connection",
    "The server has not taken the connection on which a file travels.",
    "Check the server's range of ports for passive transfers, that the firewall lets the platform "
    "in there, and that no device on the way changes what FTP says.",
    narrows=(NOT_REACHED,),
    replies=("425",),
)
NO_COMMON_ALGORITHM = Entry(
    "no-common-algorithm",
    "The server and the platform have no algorithm of one kind in common.",
    "Have the server offer one of the algorithms that the platform takes.",
)
WEAK_ALGORITHM = Entry(
    "weak-algorithms-only",
    "All that the server offers of one kind is too weak.",
    "What the server offers is too weak to be taken: have it offer more. Until then the service "
    "provider can allow weak algorithms for this account.",
)
TOO_OLD = Entry(
    "sha1-only",
    "What the server offers relies on SHA-1.",
    "What the server offers relies on SHA-1, which is broken: the platform does not speak it, also "
    "where weak algorithms are allowed. Have the server brought up to date.",
)
RSA_BY_SHA1 = Entry(
    "rsa-by-sha1",
    "The server takes keys of RSA only with signatures by SHA-1.",
    "The server is too old for keys of RSA, whose signatures by SHA-1 are broken: use a key of "
    "ECDSA P-256 or Ed25519, or have the server brought up to date.",
)
