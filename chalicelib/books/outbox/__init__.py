"""What must be told to the outside: mails now, events to registered endpoints later.

A message is put in the transaction of what it tells, under an id derived from its cause. A nudge or the sweep has it
sent. Invariant: a message is sent at least once, and never for something that was not committed.
"""
