"""Books: one noun each, ignorant of each other. The same file names in each.

`model.py` (frozen types, pure), a rules file named for its noun (pure), `store.py` (items to types and back, and the
writes), `queries.py` (reads), `operations.py` (single-book changes). Flows compose them.
"""
