"""Bodies that no program should send, to every operation that takes one: refused in the one shape, and nothing done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chalicelib.entrypoints._http import BODY_BYTES_MAX
from chalicelib.entrypoints.stripe_webhook import EVENT_BYTES_MAX
from tests.security.documented import Operation
from tests.security.tenants import Tenants

VALUES: dict[str, bytes] = {
    "1e400": b"1e400",
    "-1e400": b"-1e400",
    "10**400": b"1" + b"0" * 400,
    "-10**400": b"-1" + b"0" * 400,
    "5000 digits": b"7" * 5000,
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "17 arrays": b"[" * 17 + b"]" * 17,
    "100,000 arrays": b"[" * 100_000 + b"]" * 100_000,
    "40,000 objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "100,000 open brackets": b"[" * 100_000,
    "half a surrogate pair": b'"\\ud800"',
    "the other half": b'"a\\uDFFFb"',
    "half of one in a name": b'{"\\ud83d": 1}',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "an overlong slash": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a name twice inside": b'{"a": 1, "a": 1}',
    "a control character": b'"a\x00b"',
}
"""JSON of a field, or what looks like it; wherever it stands, the body cannot be read."""

WHOLE: dict[str, bytes] = {
    "null": b"null",
    "a number": b"3",
    "a text": b'"text"',
    "an array": b"[]",
    "an array of arrays": b"[[]]",
    "300 KB of blanks": b"{}" + b" " * 300 * 1024,
    "300 KB of an array": b"[" + b"0," * 150 * 1024 + b"0]",
    "300 KB of text": b'{"text": "' + b"x" * 300 * 1024 + b'"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": '\ufeff{"a": 1}'.encode(),
    "a form": b"a=1&b=2",
    "two objects": b"{}{}",
    "a comma too many": b'{"a": 1,}',
    "a comment": b'{"a": 1} // no',
    "only a brace": b"{",
}


KINDS = sorted({*VALUES, *WHOLE, "a field twice"})


class TestABodyThatCannotBeRead:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return operation.body_schema is not None

    def test_is_refused_and_nothing_is_done(self, tenants: Tenants, operation: Operation) -> None:
        before = tenants.world.snapshot()
        limit = EVENT_BYTES_MAX if "Stripe-Signature" in operation.parameters("header") else BODY_BYTES_MAX
        headers = {**tenants.rightful(operation), "Academy": str(tenants.world.academy_id), "Stripe-Signature": "t=1"}
        for raw in (raw for kind in KINDS for raw in bodies(tenants, operation, kind)):
            reply = tenants.world.call(operation.method, tenants.path(operation), raw=raw, headers=headers)
            expected = 413 if len(raw) > limit else 400
            assert reply.status == expected, f"{raw[:200]!r}: {reply.status} {reply.text[:300]}"
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert {"type", "title", "status", "detail", "slug", "status_code"} <= set(reply.json)
            assert operation.answers(reply.status)
            assert reply.json["slug"] in operation.slugs(reply.status)
            assert tenants.world.snapshot() == before, raw[:200]


class TestABodyThatNobodyReads:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return operation.body_schema is None and operation.method != "GET"

    def test_is_refused_where_it_is_no_object(self, tenants: Tenants, operation: Operation) -> None:
        before = tenants.world.snapshot()
        headers = {**tenants.rightful(operation), "Academy": str(tenants.world.academy_id)}
        for raw in (b"{", b"[]", b"null", b'{"a": NaN}', b'{"a": 1, "a": 1}'):
            reply = tenants.world.call(operation.method, tenants.path(operation), raw=raw, headers=headers)
            assert (reply.status, reply.headers["Content-Type"]) == (400, "application/problem+json"), reply.text
            assert reply.json["slug"] in operation.slugs(400)
        assert tenants.world.snapshot() == before


def bodies(tenants: Tenants, operation: Operation, kind: str) -> Iterator[bytes]:
    """The whole body, or a good one with the value in the place of each field, and of one that nobody knows."""
    if kind in WHOLE:
        yield WHOLE[kind]
        return
    good = json.loads(tenants.body(operation) or b"{}")
    for name in (*good, "unknown"):
        if kind == "a field twice":
            first = json.dumps({name: good.get(name)}).encode()
            yield first[:-1] + b"," + _with(good, name, json.dumps(good.get(name)).encode())[1:]
        else:
            yield _with(good, name, VALUES[kind])


def _with(good: dict[str, Any], name: str, value: bytes) -> bytes:
    parts = [json.dumps(other).encode() + b":" + json.dumps(good[other]).encode() for other in good if other != name]
    return b"{" + b",".join([*parts, json.dumps(name).encode() + b":" + value]) + b"}"
