"""Logins to one server: rules 26 and 27 of docs/rules.md."""
