"""From an event to its account's queue: checked, a row, a message, an acknowledgement."""
