"""Journeys that compose books. Noun files compute and are pure; verb files act, one verb a file.

A verb takes a `Context` and a frozen command, reads, decides, and commits one transaction. What must be told to the
outside after a commit is a row first and a nudge second. Entrypoints enter here; flows never import entrypoints or
adapters.
"""
