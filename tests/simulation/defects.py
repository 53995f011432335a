"""Every failure that the edges of the backend swallowed and logged: none of them may be a defect of ours."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.books.billing.store import AttemptsMoved, BagMoved, CustomerMoved, InvoiceMoved
from chalicelib.books.ledger.store import Moved, PageFull
from chalicelib.kernel.errors import Defect, DomainError

EXPECTED = (DomainError, AttemptsMoved, BagMoved, CustomerMoved, InvoiceMoved, Moved, PageFull)
"""What may stop a worker, which tries again later."""


class Defects(logging.Handler):
    """Hears what the edges log with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or (isinstance(error, EXPECTED) and not isinstance(error, Defect)):
            return
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.found.append(f"{record.getMessage()}: {error!r} at {last.filename}:{last.lineno}")

    def taken(self) -> list[str]:
        found, self.found = self.found, []
        return found

    @contextmanager
    def heard(self) -> Iterator[None]:
        log = logging.getLogger("chalicelib")
        level, propagate = log.level, log.propagate
        log.addHandler(self)
        log.setLevel(logging.ERROR)
        log.propagate = False
        try:
            yield
        finally:
            log.removeHandler(self)
            log.setLevel(level)
            log.propagate = propagate
