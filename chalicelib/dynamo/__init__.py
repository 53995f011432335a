"""The one table: keys, rows, reads, and conditional writes committed in one place.

Owns how a row is stored (a JSON document and the few attributes that conditions and indexes need), which refusal means
what, and what is retried. The only importer of pynamodb (docs/decisions/0001). Stores of books enter here; nobody else.
"""
