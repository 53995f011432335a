"""Telling the outside what was committed: the outbox's messages are sent at least once."""
