"""What runs at AWS, declared once: the table, queues, alarms, rights and the edge, and the tools that ship it.

Owns the data files that packaging merges into Chalice's template, and the commands `make package`, `deploy`,
`rollback`, `stripe-webhook` and `smoke`. Nothing that runs in Lambda imports this package and none of it is in
the zip. The local run and the tests read the table from here, so that there is one declaration of it.
"""
