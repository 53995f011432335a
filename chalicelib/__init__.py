"""Purser: sells plans and units on Stripe, and keeps what each customer may still use.

Imports point down only: entrypoints, adapters, flows, books, dynamo, settings, kernel. Books never import each
other.
`import-linter` proves it (pyproject.toml).
"""
