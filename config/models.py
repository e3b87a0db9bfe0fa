"""How the models of settings, accounts and events are built. Pure."""

from pydantic import ConfigDict

FROZEN = ConfigDict(frozen=True, defer_build=True)
"""Values that nobody changes. What checks them is built at their first use: most commands read
no settings of an account, and building it takes longer than their queries."""
