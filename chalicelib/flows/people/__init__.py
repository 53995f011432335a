"""What an academy's staff give a person, take and see of them; and what a person's units open to them.

Units that staff give are a lot like any other, with no invoice behind it: no refund takes them back.
"""
