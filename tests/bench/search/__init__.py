"""How fast people find what they look for, beside how many rows and accounts.

`python -m tests.bench.search --rows 1e7 --accounts 1e4` makes such a ledger on a MongoDB and a
RabbitMQ of its own, asks every page, list and search of a console's process, the API and the
commands, and writes the medians into docs/scaling.md. Each size has a table there.
"""
