"""What happened to a person, in order: a row for each purchase, decline, use and refund, kept for support.

Append-only. A row is put in the transaction of what it tells.
"""
