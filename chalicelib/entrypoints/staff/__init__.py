"""An academy's staff, in the academy's dialect: what they sell, to whom, and what became of it.

The academy is named by every call, and every route needs a capability in it. Only the price of a public service is for
customers too, at the same address.
"""
