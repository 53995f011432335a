"""What comes again by itself: payments, units, endings, and the mails before them.

`tend.py` does whatever is due about one subscription or financing, one step a transaction; `collect.py` asks for a
payment. What is due, and when, is `books/subscriptions/course.py`; what a payment does is `flows/fulfillment`.
"""
