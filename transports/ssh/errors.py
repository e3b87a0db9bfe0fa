"""What a logon by SSH fails of, besides what `transports.errors` has for every protocol.

Their place in the tree of errors stands in the docstring of `transports`.
"""

from transports.errors import LoginRefused, NoCommonAlgorithm


class InteractiveOffered(LoginRefused):
    advice = (
        "Check username and password, and that the user is not locked. If they are right, choose "
        "the logon type Interactive: the server offers that as well."
    )


class SecondFactorWanted(LoginRefused):
    advice = "The platform has a password and nothing else: have the server ask for that alone."


class AgreementWanted(LoginRefused):
    advice = "Only a person can agree: have the server let this user in without being asked."


class KeyWanted(LoginRefused):
    advice = "The server takes no password from this user, only a key: choose the logon type Key."


class KeyWantedToo(LoginRefused):
    advice = "The server wants a key as well: choose the logon type Key and password."


class KeyNotAccepted(LoginRefused):
    advice = (
        "The server does not accept this key: check the username, and put the line of the key's "
        "public half into ~/.ssh/authorized_keys of this user there."
    )


class CertificateNotAccepted(KeyNotAccepted):
    advice = (
        "The server does not accept this certificate: check that the server trusts the authority "
        "that signed it, that the username is among its principals, and that it has not ended."
    )


class KeyNotTaken(LoginRefused):
    advice = (
        "The server takes no key from this user: choose the logon type Normal, or Interactive "
        "where it asks for the password."
    )


class PasswordWantedToo(LoginRefused):
    advice = "The server wants a password as well: choose the logon type Key and password."


class RsaBySha1(NoCommonAlgorithm):
    advice = (
        "The server is too old for keys of RSA, whose signatures by SHA-1 are broken: use a key of "
        "ECDSA P-256 or Ed25519, or have the server brought up to date."
    )


class TooOld(NoCommonAlgorithm):
    advice = (
        "What the server offers relies on SHA-1, which is broken: the platform does not speak it, "
        "also where weak algorithms are allowed. Have the server brought up to date."
    )
