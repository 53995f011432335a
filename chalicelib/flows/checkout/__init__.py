"""From looking to paying: a bag is quoted and frozen, then paid once.

`quote.py` computes what a bag holds (pure); `check.py`, `pay.py`, `buy_consumables.py` and `save_card.py` act.
Invariants: the bag decides what is charged, never the request that pays it; the invoice row, the claims and the charge
key exist before the processor is asked; one payment of a bag at a time.
"""
