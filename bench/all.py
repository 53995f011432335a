"""Every script in a fresh process, one after the other."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.options import read_options

SCRIPTS = ("bench.calls", "bench.cpu", "bench.lean", "bench.growth", "bench.renewals", "bench.cold")


def main() -> int:
    """Run them, and answer the exit code: 1 where one of them broke. A figure that is missed breaks nothing."""
    options = read_options(__doc__ or "")
    broken = []
    for script in SCRIPTS:
        began = time.monotonic()
        arguments = ["--quick"] if options.quick else []
        if subprocess.run([sys.executable, "-m", script, *arguments], check=False).returncode != 0:
            broken.append(script)
        print(f"\n[{script}: {time.monotonic() - began:.0f} s]\n", flush=True)
    if broken:
        print(f"Broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
