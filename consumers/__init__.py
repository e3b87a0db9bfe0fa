"""From the event to the customer's server: the story of one recording, and the words it is told in.

    recordings.ready ──▶ intake ──▶ row, then message ──▶ account's queue ──▶ account worker
                                                                                   │
         ack ◀── delivered ◀── rename ◀── intent ◀── upload to .part ◀── claim ◀───┘

An event opens a row in the ledger (`intake`, `ledger.arrivals`), and one message in its account's
queue. A worker process that has the account (`sharding`) opens a session of it: an `AccountWorker`
(`delivery`) takes the messages and brings the files in flights. Each step is one conditional write,
made before the step that relies on it: state first, acknowledgement last. So every step may be
repeated, and a process may die between any two of them.

1. Claimed: the row counts a start, names the session, the flight and the epoch, and notes the
   temporary file that the attempt will leave.
2. Uploaded to the `.part`; its size compared.
3. Intended: the row says which `.part` becomes which name. From now on the name is its own.
4. Renamed, where the lease still stands: that is looked at immediately before.
5. Delivered: so says the row.
6. Acknowledged: the broker forgets the message.

What a crash leaves behind each step, and what the next session of the account does with it
(`ledger.claims.free`, `transports.upload`):

| died after | it finds | and |
|---|---|---|
| the row | a row without a message | publishes it (`upkeep.reconciler`) |
| 1, 2 | another worker's claim, maybe a `.part` | frees the claim as lost, removes the `.part` |
| 3 | an intent; the `.part` | the same, and forgets the intent |
| 4 | an intent; the file in its place | notes that it was delivered, sends nothing again |
| 5 | a final row | acknowledges the message |

A worker that has only lost the account changes nothing more: every write names the claim and the
epoch, and the lease is looked at before the rename.

Glossary. Names of stored fields differ where the word was changed: they stand in brackets.

- *attempt* (start, try): one way of one file to its server. A row counts three things: `starts`,
  all attempts that were begun; `tries`, those that failed and count; `lost`, those whose process
  died.
- *claim*: the row says that the attempt is this session's, and nobody else's.
- *session*: one stay of an account worker at its account, from due to nothing left to do. It keeps
  one login, over which the *connection pool* opens a session at the server for each flight.
- *flight*: up to 16 files that are claimed, uploaded, renamed and written down together.
- *exclusive* (`alone`): a flight that is all that its process uploads, so that a crash of the
  process is put down to it. A file whose attempt was lost, a *crashed* one, is tried so.
- *.part*: the temporary name at the customer. It carries the recording's id and the number of the
  start.
- *intent*: what the rename will do, written down before it. It reserves the *remote path*.
- *generation* (`turn`): counts the publishes of a row. A message of an earlier one is outdated.
- *epoch*: counts the owners of an account. A write of an earlier owner changes nothing (a *fence*).
- *wakeup*: the event by which the session hears of messages, ended flights and a new login.
- *outage* (`streak`): an account's time between two recoveries, numbered. Its dead letters
  (`casualty`) return once the account delivers again.
- *dead letter*: a file that is not tried any more, until somebody, or an outage's end, replays it.
- *probe*: the half-open trial of a suspended account, by its oldest file alone.
- *inconclusive*: an attempt that told nothing of its account. *Back-off*: the account is left in
  peace for a while, because what failed is ours.
"""
