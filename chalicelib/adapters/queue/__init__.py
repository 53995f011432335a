"""Nudges sent by Amazon SQS, behind the flows' port (`flows/context.py`)."""
