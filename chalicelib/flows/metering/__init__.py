"""Using what is owned: consumption sessions take units, and give them back while they are pending."""
