"""`make demo-year`: a year of five customers against a server of its own, told as a table of dates, charges and states.

Exits 0 only if each was charged what they agreed to, as often as they should have been, on the days they expect.
"""

from __future__ import annotations

import sys

from local.demo_calls import DemoServer, Disappointed
from local.demo_year_steps import STEPS, Year


def main() -> int:
    try:
        with DemoServer() as found:
            print("Five customers, and a year of them. The clock moves; nothing else does.\n", flush=True)
            year = Year(found)
            for day, step in STEPS:
                for line in year.until(day):
                    print(line, flush=True)
                for line in step(year):
                    print(line, flush=True)
            print("\nAt the end of the year:\n")
            for line in year.summary():
                print(line)
            year.check()
    except Disappointed as error:
        print(f"NOT SO: {error}", file=sys.stderr)
        return 1
    print("\nEach charge was made as often as it should have been, and at Stripe too.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
