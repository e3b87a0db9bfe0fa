"""Which account is due, and which worker has it: scheduler, leases, presence."""
