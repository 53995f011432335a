"""Records as rows, and the two writes of a record's life: opened, answered."""

from __future__ import annotations

import hashlib
from datetime import datetime

from chalicelib.books.idempotency.model import KEPT_FOR, Keyed, KeyReused, Record, RequestInFlight, StoredAnswer
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Delete, Put, absent, present

unanswered = present & Path("answered").does_not_exist()


def record_key(caller: str, route: str, key: str) -> Key:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return Key(f"IDEMPOTENCY#{caller}", f"{route}#{digest}")


def key_of(keyed: Keyed) -> Key:
    return record_key(keyed.caller, keyed.route, keyed.key)


def read(row: Row) -> Record:
    return load(Record, row)


def answer_of(row: Row | None, keyed: Keyed) -> StoredAnswer | None:
    """What was answered under this key; None for a new one. Raises KeyReused, RequestInFlight."""
    if row is None:
        return None
    record = read(row)
    if record.input_hash != keyed.input_hash:
        raise KeyReused
    if record.answer is None:
        raise RequestInFlight
    return record.answer


def opened(keyed: Keyed, *, subject: int | None, now: datetime) -> Put:
    """Open the record. Raises RequestInFlight where another request did first."""
    record = Record(input_hash=keyed.input_hash, subject=subject, created_at=now)
    return Put(key=key_of(keyed), values=_values(record), condition=absent, refused=lambda old: RequestInFlight())


def answered(keyed: Keyed, answer: StoredAnswer, *, subject: int | None, now: datetime) -> Put:
    """Keep the answer in the record that this request opened. An answer that was kept is never replaced."""
    record = Record(input_hash=keyed.input_hash, subject=subject, answer=answer, created_at=now)
    return Put(key=key_of(keyed), values=_values(record), condition=unanswered, refused=lambda old: RequestInFlight())


def answered_at_once(keyed: Keyed, answer: StoredAnswer, *, subject: int | None, now: datetime) -> Put:
    """Open and answer in one write, for an effect that needs one transaction only."""
    record = Record(input_hash=keyed.input_hash, subject=subject, answer=answer, created_at=now)
    return Put(key=key_of(keyed), values=_values(record), condition=absent, refused=lambda old: RequestInFlight())


def released(keyed: Keyed) -> Delete:
    """Forget the record: nothing came of the request, so that the same key may try again."""
    return Delete(key=key_of(keyed), condition=unanswered, refused=lambda old: RequestInFlight())


def _values(record: Record) -> dict[str, str | int]:
    values: dict[str, str | int] = {
        "doc": record.model_dump_json(),
        "ttl": int((record.created_at + KEPT_FOR).timestamp()),
    }
    if record.answer is not None:
        values["answered"] = record.answer.status
    return values
