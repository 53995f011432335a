"""The type of an audited change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.kernel.documents import Document


class Change(Document):
    """One change by staff. `by` is the caller ("user:7", "key:9"), `subject` what was changed ("plan:123").

    `before` is None where it was made, `after` where it was removed.
    """

    id: int
    academy_id: int
    by: str
    at: datetime
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
