"""What the countries' numbering plans say of a telephone number (E.164). Pure.

Whether a number is given out changes from week to week; whether it has a length that its country
has at all does not: only that is asked.
"""

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

_NO_COUNTRY = "it is a number of no country"
_WRONG = {
    ValidationResult.INVALID_COUNTRY_CODE: "no country has its code",
    ValidationResult.TOO_SHORT: "it is too short for its country",
    ValidationResult.TOO_LONG: "it is too long for its country",
    ValidationResult.INVALID_LENGTH: "its country has no numbers of this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "its area code is missing",
}


def is_country(country: str) -> bool:
    """Whether it is the code of a country with numbers, such as GB (ISO 3166-1)."""
    return country in phonenumbers.SUPPORTED_REGIONS


def international(number: str, country: str | None) -> str | None:
    """In E.164; None for what is no possible number, or has an extension.

    Digits that are only dialled within an area are no number: a short code looks like them.
    """
    return _e164(number, country, ValidationResult.IS_POSSIBLE)


def without_area(number: str, country: str | None) -> str | None:
    """Digits that are only dialled within an area, behind the country's code; None for others.

    Earlier versions took that for E.164.
    """
    return _e164(number, country, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def national(number: str, country: str) -> str | None:
    """A number in E.164 as it is dialled within the country; None where it is another's."""
    parsed = _parsed(number, None)
    if parsed is None or parsed.country_code != phonenumbers.country_code_for_region(country):
        return None
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))


def why_not(number: str, country: str | None) -> str:
    """Why it is no possible number."""
    parsed = _parsed(number, country)
    if parsed is None:
        return _NO_COUNTRY
    return _WRONG.get(phonenumbers.is_possible_number_with_reason(parsed), _NO_COUNTRY)


def _e164(number: str, country: str | None, possible: int) -> str | None:
    parsed = _parsed(number, country)
    if parsed is None or parsed.extension:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != possible:
        return None
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164))


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
