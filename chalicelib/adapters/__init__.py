"""The outside world behind the ports that books and flows own: Stripe, SES, SQS, SSM.

An adapter translates: our types to a provider's calls, its errors to ours. It knows no rules, has a timeout on every
call, and logs no e-mail, no body and no secret. Built by `entrypoints._wiring` only, at first use.
"""
