"""Who studies at an academy, and who is asked to: students and invitations.

Invariants: one open invitation for each academy and e-mail, by a claim row; an invitation is accepted once, and ends by
that, by its staff or by its date; the secret of its link is stored as a hash only; what an accepted invitation has not
delivered yet stands on it, and waits in the due index.

What an invitation promises is data: plans by their ids. Who makes accounts and delivers plans is not known here.
"""
