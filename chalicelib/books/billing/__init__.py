"""What is owed and paid: bags, invoices, payments, customers and saved cards.

Invariants: an invoice exists before the processor is asked for its money; its charge key is fixed before the call; its
amount never changes; it becomes FULFILLED once. The processor is reached through `gateway.py`, a port: its name and its
types stay in the adapter. No card number passes through here.
"""
