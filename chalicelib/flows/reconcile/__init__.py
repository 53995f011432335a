"""What comes from outside, and what nobody came back for: the inbox, its workers, and the sweeps.

`receive.py` stores an event before it is acknowledged; `handle_event.py` asks the processor about what it names and
settles it; `sweep.py` finishes what was begun and forgotten. All may run twice, late, at once, in any order.
"""
