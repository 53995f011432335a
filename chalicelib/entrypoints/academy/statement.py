"""What a person had, used and has, as a document that anyone can check."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated

from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Query, json_text, route
from chalicelib.entrypoints.academy.statement_schemas import LinkOut, StatementOut, statement_out
from chalicelib.entrypoints.academy.statement_tables import csv_text, paper
from chalicelib.flows.statement.read import HistoryTooLong, StatementTooLong, read_statement

BYTES_MAX = 4 * 1024 * 1024
"""What is larger is fetched by a link: an answer of Lambda may have 6 MB, as JSON inside JSON, or in base64."""
LINK_SECONDS = 3600


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    PDF = "pdf"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.PDF: "application/pdf",
}


class StatementQuery(Query):
    """`since`: only the entries from the beginning of this day (UTC) on."""

    format: Format = Format.JSON
    academy: int | str | None = None
    since: date | None = None


@route(
    "GET",
    "/v1/payments/me/statement",
    access=Access.PERSON,
    answers={200: Annotated[StatementOut | LinkOut, "text/csv", "application/pdf"]},
    errors=(StatementTooLong, HistoryTooLong),
)
def get_statement(call: Call, query: StatementQuery) -> Answer:
    """Every entry of one's own accounts with its lots, invoices and hashes, as JSON, CSV or PDF.

    Above 4 MB the answer is a link that serves for an hour, and so it is for a PDF unless the header Accept begins with
    application/pdf, since API Gateway passes bytes on to nobody else. `make verify-statement` checks the JSON, without
    access to anything. Pools of teams are not in it.
    """
    academy_id = academy_id_of(call, None)
    since = None if query.since is None else datetime.combine(query.since, time(), UTC)
    found = read_statement(call.runtime.table, call.person.user_id, academy_id=academy_id, since=since)
    statement = statement_out(found, academy_id=academy_id, since=query.since, generated_at=call.now)
    body = _written(call, statement, query.format)
    if len(body) > BYTES_MAX or (query.format is Format.PDF and not _takes_pdf(call)):
        return Answer(200, _linked(call, statement, body, query.format))
    disposition = f'attachment; filename="statement.{query.format}"'
    return Answer(200, body, {"Content-Type": MEDIA_TYPES[query.format], "Content-Disposition": disposition})


def _written(call: Call, statement: StatementOut, wanted: Format) -> bytes:
    if wanted is Format.PDF:
        return call.runtime.printer.pdf(paper(statement))
    text = csv_text(statement) if wanted is Format.CSV else json_text(statement)
    return text.encode()


def _takes_pdf(call: Call) -> bool:
    first = call.headers.get("accept", "").split(",")[0]
    return first.split(";")[0].strip().lower() == MEDIA_TYPES[Format.PDF]


def _linked(call: Call, statement: StatementOut, body: bytes, wanted: Format) -> LinkOut:
    # Whose it is, which it is, and nothing that could be guessed: the bucket is private all the same.
    name = f"statements/{call.person.user_id}/{statement.digest}.{wanted}"
    url = call.runtime.files.keep(name, body, media_type=MEDIA_TYPES[wanted], link_seconds=LINK_SECONDS)
    return LinkOut(url=url, expires_at=call.now + timedelta(seconds=LINK_SECONDS))
