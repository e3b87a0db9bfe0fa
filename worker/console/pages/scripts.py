"""What the scripts say (static/*.js): the base page hands it to them as JSON, in the language."""

from worker.console.language import gettext
from worker.console.language import mark as N_

_WORDS = {
    "away": N_("The console does not answer: what is shown may be out of date."),
    "403": N_("You may not do this."),
    "404": N_("There is no such thing any more: reload the page."),
    "409": N_("Something has changed meanwhile: reload the page, and look at it."),
    "413": N_("What was sent is too large."),
    "429": N_("Too many requests: try again in a minute."),
    "otherwise": N_("The console cannot answer now (%(status)s): try again in a minute."),
    "save": N_("Save"),
    "test and save": N_("Test and save"),
    "copied": N_("Copied"),
    "selected": N_("%(count)s selected"),
    "selected elsewhere": N_("%(count)s selected, %(gone)s of them not on this page any more"),
    "too many selected": N_(
        "%(count)s selected: choose %(most)s at most, or all that match by a filter"
    ),
    "gone": N_("not on this page any more"),
    "ticked": N_("%(count)s ticked: another page or filter lets them go"),
    "times in utc": N_("Times are in UTC: show them in %(zone)s"),
    "times in zone": N_("Times are in %(zone)s: show them in UTC"),
    "updated seconds": N_("Updated %(time)s s ago, every %(every)s s."),
    "updated minutes": N_("Updated %(time)s min ago, every %(every)s s."),
    "updated at": N_("Updated at %(time)s, every %(every)s s."),
    "paused seconds": N_("%(why)s Updated %(time)s s ago."),
    "paused minutes": N_("%(why)s Updated %(time)s min ago."),
    "paused at": N_("%(why)s Updated at %(time)s."),
    "hidden": N_("Paused while this tab is hidden."),
    "selects": N_("Paused while text is selected in it."),
    "pressed": N_("Paused while the mouse is pressed."),
    "late": N_("%(problem)s: what is shown is of %(time)s. %(next)s."),
    "asking": N_("Asking again now"),
    "asking soon": N_("Asking again in %(seconds)s s"),
    "silent": N_("The console does not answer"),
    "not shown": N_("This is not shown to you any more"),
    "cannot": N_("The console cannot answer now (%(status)s)"),
    "refresh": N_("Refresh now"),
}


def script_words() -> dict[str, str]:
    """Each text by the name that the scripts know it by."""
    return {name: gettext(words) for name, words in _WORDS.items()}
