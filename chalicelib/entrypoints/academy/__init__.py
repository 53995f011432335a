"""The academy's audience: students who sign in, buy and use, and staff who run the catalog. Documents 1 to 3.

Routes by resource, and `schemas.py` for what goes in and out. Money is a number in major units here.
"""
