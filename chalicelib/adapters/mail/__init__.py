"""Mails sent by Amazon SES, behind the outbox's port (`books/outbox/port.py`)."""
