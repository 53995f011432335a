"""Staff make people students of their academy; whoever has no account is invited to make one.

An invitation promises; its acceptance makes the account and freezes what was promised, in one transaction; what it then
owes is delivered plan by plan, each in a transaction of its own that takes it off the invitation.
"""
