"""What `config` says in finished English of what people enter, named for translation.

Refusals of fields, keys, certificates and numbers; what became of alerts.
"""

from worker.console.language import mark as N_

WORDS = (
    N_("What was given"),
    N_("Private Key is not used with this logon type: choose Key, or Key and password."),
    N_("Private Key is required: give one, or have a key generated for the account."),
    N_("Client Certificate is required: give the one that was issued for the key."),
    N_("Client Key is not used with this protocol: choose FTPS."),
    N_("Client Key is required: give the private key of the certificate."),
    N_(
        "Active Mode is not available: servers may connect to the platform once its operator has "
        "set COURIER_ACTIVE_FTP_ADDRESSES and COURIER_ACTIVE_FTP_PORTS."
    ),
    N_("The password"),
    N_("Password is required."),
    N_("Password is required: none is stored."),
    N_("The logon type was changed meanwhile."),
    N_("The client certificate was changed meanwhile."),
    N_(
        "The FTP settings were changed by somebody else meanwhile, and nothing was saved: look at "
        "them, and try again."
    ),
    N_(
        "A stored password or private key cannot be read with the keys in COURIER_SECRET_KEYS: add "
        "the key it was stored with, or save the account's settings again with it."
    ),
    N_(
        "Passwords and keys are stored encrypted only, and COURIER_SECRET_KEYS is not set: put a "
        "Fernet key there ('courier secrets generate' prints one)."
    ),
    N_(
        "A number has 2 to 15 digits, with + before them where it is international, such as "
        "+441632960001; an extension follows as ;ext=12."
    ),
    N_("it is a number of no country"),
    N_("no country has its code"),
    N_("it is too short for its country"),
    N_("it is too long for its country"),
    N_("its country has no numbers of this length"),
    N_("its area code is missing"),
    N_("FTP & Email"),
    N_("Email"),
    N_("Suspension"),
    N_("Recovery"),
    N_("Settings changed"),
    N_("Question to a new address"),
    N_("Test"),
    N_("sent"),
    N_("waiting to be sent"),
    N_("not sent: given up"),
    N_("not sent: refused"),
    N_("left out: its reader stopped these e-mails"),
    N_("left out: its reader has not agreed yet"),
    N_("left out: too many in an hour"),
    N_("sent later: too many in an hour"),
    N_("an outage is told once, and then daily"),
    N_("(no words)"),
    N_("Files are delivered again."),
    N_("The address was asked whether it wants the alerts."),
    N_("Your login is not an e-mail address: the test can only go to Email Alerts."),
    N_("protocol"),
    N_("host"),
    N_("port"),
    N_("username"),
    N_("protocol and host"),
    N_("protocol and port"),
    N_("protocol and username"),
    N_("host and port"),
    N_("host and username"),
    N_("port and username"),
    N_("protocol and host and port"),
    N_("protocol and host and username"),
    N_("protocol and port and username"),
    N_("host and port and username"),
    N_("protocol and host and port and username"),
)

PATTERNS = (
    N_("%(field)s, entry %(number)s,"),
    N_("%(field)s is required."),
    N_("%(field)s must be a text."),
    N_("%(field)s must be valid Unicode text."),
    N_("%(field)s must not be empty."),
    N_("%(field)s must have at least %(least)s characters."),
    N_("%(field)s must have at most %(most)s characters."),
    N_("%(field)s must have at most %(most)s entries."),
    N_("%(field)s must have %(least)s to %(most)s characters."),
    N_("%(field)s must be a list."),
    N_("%(field)s must be true or false."),
    N_("%(field)s must be %(choices)s."),
    N_("%(field)s is not a field that can be given here."),
    N_("%(field)s must be a whole number."),
    N_("%(field)s must be a whole number from %(least)s to %(most)s."),
    N_("%(field)s must be a whole number of at least %(least)s."),
    N_("%(field)s must be a whole number of at most %(most)s."),
    N_("%(field)s must be a time, such as 2026-11-23T14:05:00Z."),
    N_("%(field)s must not hold line breaks or other control characters."),
    N_("%(field)s must not hold invisible characters that change the direction of writing."),
    N_("%(field)s must be an e-mail address, such as it@customer.example."),
    N_("%(field)s must be a time zone, such as Europe/London or UTC."),
    N_("%(field)s must be a host name or an IP address, without protocol, port or path."),
    N_(
        "%(field)s holds characters that host names cannot have as they stand: type the host name "
        "anew, or give its ASCII form (xn--...)."
    ),
    N_(
        "%(field)s mixes letters of different alphabets that look alike: type the host name anew, "
        "or give its ASCII form (xn--...)."
    ),
    N_("%(field)s must be a fingerprint like SHA256: and 43 characters, or 64 hexadecimal digits."),
    N_("%(field)s host_key is not one of host_keys: give one of the two."),
    N_(
        "%(field)s must be days, hours or both, such as 22:00-06:00, Sat-Sun, or Mon-Fri "
        "22:00-06:00; Sat-Sun."
    ),
    N_("%(field)s must not have hours that begin at 24:00: a day begins at 00:00."),
    N_(
        "%(field)s must not have hours that end when they begin: for a whole day give the day "
        "alone, or 00:00-24:00."
    ),
    N_(
        "%(field)s must have hours as HH:MM-HH:MM, such as 22:00-06:00, Sat-Sun, or Mon-Fri "
        "22:00-06:00; Sat-Sun."
    ),
    N_("%(field)s must have hours from 00:00 to 24:00."),
    N_("%(field)s must have a semicolon between hours and the days of other hours."),
    N_("%(field)s must have at most %(most)s characters, with two digits to each hour."),
    N_("%(field)s must be UTF-8: %(field_other)s has letters that %(encoding)s does not have."),
    N_("%(field)s must not begin with /: the folders stand beneath Path."),
    N_("%(field)s must have at most %(most)s folders."),
    N_("%(field)s may become longer than %(most)s bytes."),
    N_("%(field)s must not have a / in it: folders stand in Subfolders."),
    N_("%(field)s must not end in .part: that is how files on their way are named."),
    N_("%(field)s must not have a \\ in it: folders are parted by /."),
    N_("%(field)s has a {date} that does not say what of it, as {date:%%Y-%%m-%%d} does."),
    N_("%(field)s has %(code)s in a date, which is none of %(known)s."),
    N_("%(field)s may become longer than the %(most)s bytes that a name has."),
    N_("%(field)s has a %(brace)s without its other half."),
    N_("%(field)s may become an empty name."),
    N_("%(field)s may become %(name)s, which is no name."),
    N_("%(field)s may become %(name)s, a name that Windows keeps for a device."),
    N_("%(field)s has a {counter} with something else than 1 to 12 digits behind its :."),
    N_("%(field)s has the field %(given)s, which is none of %(known)s."),
    N_("%(field)s must hold no private key: give the certificates alone."),
    N_("%(field)s must be certificates in PEM (-----BEGIN CERTIFICATE-----)."),
    N_("%(field)s must be the line of a certificate, such as that of id-cert.pub."),
    N_("%(field)s is not that of the certificate: give the key that it was issued for."),
    N_("%(field)s ended on %(moment)s: give one that is valid."),
    N_("%(field)s begins on %(moment)s: give one that is valid by now."),
    N_("%(field)s begins with that of an authority: give the account's own first."),
    N_("%(field)s says no time that it is valid for: give one that does."),
    N_("%(field)s cannot be used: %(words)s."),
    N_("%(field)s is one of a server: give one that was made for a user."),
    N_("%(field)s is for another key: have %(fingerprint)s signed."),
    N_("%(field)s is not whole: give the whole line of id-cert.pub."),
    N_("%(field)s is not whole: give all of it, from its BEGIN line to its END line."),
    N_("%(field)s is no private key: one begins with -----BEGIN and names PRIVATE KEY behind it."),
    N_(
        "%(field)s is in PuTTY's own format (.ppk): have PuTTYgen write it by 'Conversions, Export "
        "OpenSSH key', and give that."
    ),
    N_("%(field)s is a public key: give the private half, which begins with -----BEGIN."),
    N_(
        "%(field)s is of DSA, which is too weak and which servers do not take any more: use "
        "Ed25519, ECDSA (P-256, P-384, P-521), or RSA from 2048 bits."
    ),
    N_(
        "%(field)s lies on a security key (FIDO), where the platform cannot use it: use Ed25519, "
        "ECDSA (P-256, P-384, P-521), or RSA from 2048 bits."
    ),
    N_(
        "%(field)s is of a kind or encrypted in a way that is not read: use Ed25519, ECDSA (P-256, "
        "P-384, P-521), or RSA from 2048 bits."
    ),
    N_(
        "%(field)s is of a kind that servers do not take: use Ed25519, ECDSA (P-256, P-384, "
        "P-521), or RSA from 2048 bits."
    ),
    N_("%(field)s has %(bits)s bits: RSA keys need %(least)s or more."),
    N_("%(field)s has %(bits)s bits: RSA keys may have %(most)s."),
    N_(
        "%(field)s is encrypted in a way that is not read: have 'ssh-keygen -p -f FILE' write it "
        "anew, and give that."
    ),
    N_(
        "%(field)s has a passphrase that is hashed %(times)s times, and %(most)s are taken: have "
        "'ssh-keygen -p -f FILE' write it anew, and give that."
    ),
    N_(
        "%(field)s has a passphrase that is hashed %(times)s times, and %(most)s are taken: have "
        "'ssh-keygen -p -a 16 -f FILE' write it anew, and give that."
    ),
    N_("%(field)s is required: the private key has one."),
    N_("%(field)s does not open the private key."),
    N_(
        "The password must be given again with another %(field)s: the stored one is sent only to "
        "the server and the login that it was entered for."
    ),
    N_("The account %(account)s has no FTP settings to test."),
    N_("The account %(account)s has no FTP settings yet."),
    N_("The account %(account)s has no FTP settings, which alerts belong to: save those first."),
    N_("The account %(account)s has no password stored."),
    N_("The account %(account)s has no client key stored."),
    N_("The account %(account)s has no such key stored."),
    N_("No new key of the account %(account)s waits to be used."),
    N_("Only the service provider may change %(field)s."),
    N_("%(number)s has an extension: allow that, if the platform knows it by this."),
    N_(
        "%(number)s has no country code: write it as +441632960001, or allow it as a short code, "
        "if the platform knows it by this."
    ),
    N_("%(number)s is no telephone number: %(words)s. Correct it, or allow it as a short code."),
    N_("The number %(number)s is not one of the account %(account)s."),
    N_("The number %(number)s is not known."),
    N_("Suspended after %(failures)s failures:"),
    N_("The settings were changed by %(actor)s: %(fields)s."),
    N_("A test, asked for by %(actor)s."),
    N_(
        "%(number)s test e-mails were asked for in the last ten minutes: see what became of them "
        "first, and try again later."
    ),
    N_("The account %(account)s has no Email Alerts addresses: enter one first."),
)
