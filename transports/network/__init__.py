"""Connections to the outside: allowed addresses, egress, distance, time limits."""
