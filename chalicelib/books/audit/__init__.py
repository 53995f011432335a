"""Who of an academy's staff changed what: a row for each change, with what was there before and after it.

Append-only. A row is put in the transaction of the change that it tells.
"""
