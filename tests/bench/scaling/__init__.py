"""`make scaling`: what grows with workers, accounts and queues, and what services allow alone."""
