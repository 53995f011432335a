"""What comes from outside, what nobody came back for, and what nobody told us: the inbox, its workers, and the sweeps.

`receive.py` stores an event before it is acknowledged; `handle_event.py` asks the processor about what it names and
settles it; `sweep.py` finishes what was begun and forgotten. `catch_up.py` feeds events that no webhook brought;
`compare.py` walks the processor's objects and our invoices, `examine.py` holds one against the other side and mends
what a webhook would have mended, and `keep.py` writes down what differs. All may run twice, late, at once, in any
order.
"""
