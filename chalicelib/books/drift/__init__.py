"""Where the processor and we differ, and how far both have been looked through.

Owns a row for each difference (decided by its kind and the ids it is about, so that the same one found twice is one
row) and the walks: how far each list has been read. Invariant: a difference is written down before anything is mended,
and what was not looked at is never counted as looked at.
"""
