"""A process as tests play it: it hashes passwords cheaply, and what it counted of a request dies with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

from argon2 import PasswordHasher

from chalicelib.dynamo.table import usage
from chalicelib.kernel.meter import meter

CHEAP_HASHER = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
"""A thousandth of the memory; tests/unit/test_identity_rules.py has the real one."""


@contextmanager
def a_process() -> Iterator[None]:
    """A request that is killed in it never ends its count, which would go on with whoever comes next."""
    try:
        with patch("argon2.PasswordHasher", CHEAP_HASHER):
            yield
    finally:
        usage.set(None)
        meter.set(None)
