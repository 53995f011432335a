"""Teams of a plan: who sits on its seats, and what each of them gets.

`seats.py` (pure) says what is due about a seat, from the subscription as it is; `tend_seat.py` does it. The others act
for the owner (`find.py` lets nobody else), and `wake.py` tells the seats that their subscription has changed.

`low.py` (pure) says when a pool is low and what is bought then; `pool_use.py` begins that beside a use, and
`tend_recharge.py` buys it.
"""
