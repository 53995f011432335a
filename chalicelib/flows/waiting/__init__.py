"""Places of plans that have room for so many: who may buy, who waits, and who is told that one is free."""
