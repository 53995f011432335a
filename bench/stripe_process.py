"""Stripe's stand-in as a process of its own: prints its address, serves until standard input is closed."""

from __future__ import annotations

import sys
import time

from local.stripe_standin.machine import Standin
from local.stripe_standin.server import StandinServer


def main() -> None:
    server = StandinServer(Standin(secret_key=sys.argv[1]), clock=lambda: int(time.time()))
    server.start()
    print(server.url, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
