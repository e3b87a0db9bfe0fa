"""The e-mail to a user of the console whose password somebody else seems to know. Pure."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from alerts import message

GUESSES = "guesses"
SUBJECT = "Somebody may know your password"

_TEXT = """\
Somebody has given the right password of {login} at the {platform}, and then {count} wrong codes \
of your second factor within {minutes} minutes. The last one came from {address}, on {at}.

None of these codes was right, so they let nobody in.

If it was not you, somebody knows your password:

1. Choose another one now{password}. That ends every session of yours, and the guessing.
2. Where you use the same password elsewhere, change it there as well.
3. Tell your administrator the address above.

If it was you: an authenticator's code is wrong where the clock of its device is wrong, and a \
recovery code signs you in as well. You can go on in a browser in which you have signed in before; \
others may have to wait for up to an hour.

You get this e-mail once a day at most.
"""

Document = dict[str, Any]


def compose(
    document: Document, *, console_url: str | None, sender: str, platform: str
) -> EmailMessage:
    """The e-mail of a stored document. Raises ValueError where the sender is no address."""
    facts: Document = document["facts"]
    at: datetime = document["at"].astimezone(UTC)
    text = _TEXT.format(
        login=message.one_line(facts["login"]),
        platform=message.one_line(platform),
        count=facts["count"],
        minutes=facts["minutes"],
        address=message.one_line(facts["address"], 64),
        at=f"{at:%Y-%m-%d at %H:%M:%S} UTC",
        password=f": {console_url}/password" if console_url else ", in the console",
    )
    key = document["_id"]
    return message.make(
        sender=sender, to=[facts["login"]], subject=SUBJECT, at=at, key=key, text=text
    )
