"""Files kept in Amazon S3, behind the statement's port (`flows/statement/ports.py`)."""
