"""One account's work: its files are claimed, uploaded in flights, settled and acknowledged."""
