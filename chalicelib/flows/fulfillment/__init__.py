"""Where every path meets: a paid invoice becomes what was bought, exactly once.

`delivery.py` and `plan.py` compute (pure); `settle.py` takes what the processor says of a payment: `fulfill.py`
delivers, `reject.py` gives back what was reserved, `record_refunds.py` keeps the invoice's refunds and disputes true.
Whoever learns first calls `settle`; the table decides who was first.
"""
