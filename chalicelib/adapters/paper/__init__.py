"""Papers printed by fpdf2, behind the statement's port (`flows/statement/ports.py`)."""
