"""Teams of subscriptions and financings: who sits on which seat. The owner's own seat has no row.

Invariants: never more live seats than were paid for, and one live seat for each e-mail, by conditions on the write; a
seat's units are given once for each of its boundaries, whoever sits on it, by the version of its row. Of each unit of a
pool one recharge at most waits or is being paid, and a month's never come to more than their owner allows, reserved
before they are charged.
"""
