"""Who calls, and what they may do: people, academies, staff roles and capabilities, tokens and API keys.

Invariants: one e-mail (however it is cased or composed) belongs to one person and one slug to one academy, for ever; a
secret is stored as its hash only and shown once, when it is made; a credential that was ended or has expired lets
nobody in from that instant on; at most ten wrong passwords an hour are tried against one e-mail.

Others enter by `queries` and `operations`. Which route wants which capability is not known here.
"""
