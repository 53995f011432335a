"""A person's statement: every entry with its hash, what is left, and what leads the chain, for anyone to check."""
