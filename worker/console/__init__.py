"""The web console and its API: pages for people, JSON for programs, one set of rules for both."""


class ConsoleAddressTaken(OSError):
    """The console's address cannot be had."""
