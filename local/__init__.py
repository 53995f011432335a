"""The deployment on one machine, with no account and no container: `make run`.

It owns what AWS and Stripe are elsewhere: the table and the queues (ministack, a process of its own), the schedules,
the gateway in front of the app, Stripe's stand-in, and a clock that can be moved. The code that it runs is the deployed
one, by settings alone. Nothing that ships imports from here, and everything listens on the loopback interface only.
"""
