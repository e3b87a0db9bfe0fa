"""What exchanges, queues, keys and headers are called, without the library that declares them."""

RECORDINGS = "recordings"
READY_KEY = "recording.ready"
INVALID = "recordings.invalid"
INVALID_READER = "recordings.invalid.check-reader"
"""The lock of whoever reads `recordings.invalid`, by a name that the least rights allow."""

REASON_HEADER = "x-courier-reason"
TRIES_HEADER = "x-courier-tries"
GENERATION_HEADER = "x-courier-turn"
REPLAY_HEADER = "x-courier-replay"
"""Which replay has published an event again: one that comes back as unusable is left by it."""
