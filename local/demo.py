"""`make demo`: a scripted customer against a running server; each step says what it did and what was charged.

Uses the server that `.local/demo.json` (or PURSER_DEMO) names, and starts one for itself where none is up. Exits 0 only
if everything that it says was true.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

from local.demo_calls import DemoServer, Disappointed, running_server
from local.demo_steps import STEPS, Story
from local.options import DEMO_FILE_DEFAULT


def main() -> int:
    with ExitStack() as stack:
        try:
            found = running_server(Path(os.environ.get("PURSER_DEMO") or DEMO_FILE_DEFAULT))
            if found is None:
                print("No server is up: starting one for this demonstration.", flush=True)
                found = stack.enter_context(DemoServer())
            print(f"Against {found.api_url}\n", flush=True)
            story = Story(found)
            for number, step in enumerate(STEPS, 1):
                print(f"{number}. {step.__doc__}", flush=True)
                for line in step(story):
                    print(f"   {line}", flush=True)
        except Disappointed as error:
            print(f"   NOT SO: {error}", file=sys.stderr)
            return 1
    print("\nAll of it held.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
