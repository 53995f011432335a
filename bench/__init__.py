"""What requests cost, measured on this machine: `python -m bench` runs every script, `python -m bench.cpu` one of them.

Each script prints its figures beside a baseline that was measured in the same run, in turn with them, so that a slow
moment of the machine touches both. Read the ratios and the calls; milliseconds are those of one machine on one day.
With `--quick` a script does a few rounds: enough to see that it runs, too few to believe a figure.

The table, the queues and Stripe's stand-in run in processes of their own, so that what they burn is not counted.
Nothing that ships imports from here.
"""
