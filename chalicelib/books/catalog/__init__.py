"""What is for sale: services and their prices, plans, financing options, sets, coupons; and what each costs.

Invariants: a slug of a plan or a service belongs to one row for ever; a service item never changes what it grants;
what a customer was quoted is a copy, so nothing here can change it afterwards. Flows and staff routes may enter.
"""
