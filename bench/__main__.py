"""`python -m bench`: every script, one after the other."""

from bench.all import main

if __name__ == "__main__":
    raise SystemExit(main())
