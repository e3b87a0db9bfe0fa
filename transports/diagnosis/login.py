"""Why the login is refused."""

from transports.diagnosis.entry import Entry

LOGIN_REFUSED = Entry(
    "login-refused",
    "The server refuses this username with this password.",
    "Check username, password and logon type, and that the user is not locked.",
)
INTERACTIVE_OFFERED = Entry(
    "interactive-offered",
    "The server refuses the password, and offers to ask for it interactively.",
    "Check username and password, and that the user is not locked. If they are right, choose the "
    "logon type Interactive: the server offers that as well.",
)
SECOND_FACTOR_WANTED = Entry(
    "second-factor-wanted",
    "The server asks for more than the password.",
    "The platform has a password and nothing else: have the server ask for that alone.",
)
AGREEMENT_WANTED = Entry(
    "agreement-wanted",
    "The server wants a person to agree to its terms.",
    "Only a person can agree: have the server let this user in without being asked.",
)
KEY_WANTED = Entry(
    "key-wanted",
    "The server takes a key and no password.",
    "The server takes no password from this user, only a key: choose the logon type Key.",
)
KEY_WANTED_TOO = Entry(
    "key-wanted-too",
    "The server takes the password, and wants a key as well.",
    "The server wants a key as well: choose the logon type Key and password.",
)
KEY_NOT_ACCEPTED = Entry(
    "key-not-accepted",
    "The server does not know this key.",
    "The server does not accept this key: check the username, and put the line of the key's public "
    "half into ~/.ssh/authorized_keys of this user there.",
)
CERTIFICATE_NOT_ACCEPTED = Entry(
    "key-certificate-not-accepted",
    "The server does not accept the key's certificate.",
    "The server does not accept this certificate: check that the server trusts the authority that "
    "signed it, that the username is among its principals, and that it has not ended.",
)
KEY_NOT_TAKEN = Entry(
    "no-key-taken",
    "The server takes a password and no key.",
    "The server takes no key from this user: choose the logon type Normal, or Interactive where it "
    "asks for the password.",
)
PASSWORD_WANTED_TOO = Entry(
    "password-wanted-too",
    "The server takes the key, and wants a password as well.",
    "The server wants a password as well: choose the logon type Key and password.",
)
