"""What a logon by SSH fails of, besides what `transports.errors` has for every protocol.

Their place in the tree of errors stands in the docstring of `transports`.
"""

from transports.diagnosis import login, reaching
from transports.errors import LoginRefused, NoCommonAlgorithm


class InteractiveOffered(LoginRefused):
    entry = login.INTERACTIVE_OFFERED


class SecondFactorWanted(LoginRefused):
    entry = login.SECOND_FACTOR_WANTED


class AgreementWanted(LoginRefused):
    entry = login.AGREEMENT_WANTED


class KeyWanted(LoginRefused):
    entry = login.KEY_WANTED


class KeyWantedToo(LoginRefused):
    entry = login.KEY_WANTED_TOO


class KeyNotAccepted(LoginRefused):
    entry = login.KEY_NOT_ACCEPTED


class CertificateNotAccepted(KeyNotAccepted):
    entry = login.CERTIFICATE_NOT_ACCEPTED


class KeyNotTaken(LoginRefused):
    entry = login.KEY_NOT_TAKEN


class PasswordWantedToo(LoginRefused):
    entry = login.PASSWORD_WANTED_TOO


class RsaBySha1(NoCommonAlgorithm):
    entry = reaching.RSA_BY_SHA1


class TooOld(NoCommonAlgorithm):
    entry = reaching.TOO_OLD
