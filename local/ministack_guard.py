"""Runs ministack for as long as somebody holds the other end of standard input.

Started with ministack's own interpreter, so this imports nothing of the project. When the runner ends in whatever way,
the pipe closes and ministack stops as for SIGTERM, writing its state: no process is left behind by a crash or a kill.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    threading.Thread(target=_stop_when_abandoned, daemon=True).start()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


def _stop_when_abandoned() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
