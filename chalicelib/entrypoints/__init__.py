"""The edges: Chalice and JSON in, one call, JSON out. Know no rules.

Each audience has a folder with routes by resource and `schemas.py`. `_http` parses and renders, `_auth` says who calls,
`_wiring` builds what a process needs once. The clock is read here and nowhere below.
"""
