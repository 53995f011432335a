"""`make run`: start everything, say where it is, and stop it cleanly at Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading

from local.gateway import PortTaken
from local.ministack import MinistackFailed
from local.options import InvalidOption, read_options
from local.running import Running
from local.state import StateInUse, StateUnreadable

LOOPBACK = "127.0.0.1,localhost"
LOOK_SECONDS = 1.0


def main() -> int:
    """Serve until a signal comes. Answers 0 after a clean stop, 1 where something did not start or broke off."""
    try:
        options = read_options(os.environ)
    except InvalidOption as error:
        return _refused(error)
    _prepare_environment(own_table=options.dynamodb_url is None)
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    try:
        with Running(options) as running:
            print(running.welcome, flush=True)
            while not stopping.wait(LOOK_SECONDS):
                if not running.is_whole:
                    return _refused("ministack has ended; what it said is in .local/ministack.log.")
            print("\nStopping.", flush=True)
    except (PortTaken, MinistackFailed, StateInUse, StateUnreadable) as error:
        return _refused(error)
    return 0


def _prepare_environment(*, own_table: bool) -> None:
    """Make the libraries talk to this machine, whatever the environment says about other places."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), LOOPBACK)))
    if own_table:
        # Nothing here goes to AWS, so nothing of an account may be needed or used.
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ[name] = "local"


def _refused(why: object) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
