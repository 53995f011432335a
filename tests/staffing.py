"""Staff of an academy, who send the header Academy with everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from chalicelib.books.audit.queries import changes
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy, Position
from chalicelib.books.identity.roles import CAPABILITIES
from chalicelib.dynamo.table import Table
from tests.world import Person, Reply, World


@dataclass(frozen=True)
class Clerk:
    """Staff of one academy."""

    person: Person
    academy_id: int

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"Academy": str(self.academy_id), **headers}
        return self.person.world.call(method, path, body=body, token=self.person.token, headers=sent)

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None) -> Reply:
        return self.call("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Reply:
        return self.call("DELETE", path, body)


def clerk(world: World, *capabilities: str, academy_id: int | None = None) -> Clerk:
    """Somebody with these capabilities (none named: all of them) at the academy (none named: the world's)."""
    person = world.person()
    at = academy_id or world.academy_id
    identity.add_member(
        world.table, Position(capabilities=capabilities or CAPABILITIES), user_id=person.user_id, academy_id=at
    )
    return Clerk(person, at)


def clerk_elsewhere(world: World) -> Clerk:
    """Somebody with every capability at another academy."""
    other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
    return clerk(world, academy_id=other.id)


def audited(world: World, subject: str) -> list[tuple[str, Any, Any]]:
    """Who changed it, from what to what, the latest first."""
    found = changes(world.table, world.academy_id, subject=subject, limit=100).items
    return [(change.by, change.before, change.after) for change in found]


def refused(answer: Reply, status: int, slug: str) -> None:
    assert (answer.status, answer.json["slug"]) == (status, slug), answer.text


def everything(world: World) -> dict[str, Any]:
    """The whole table, to see that nothing changed."""
    return world.snapshot()


def every_page(staff: Clerk, path: str) -> list[Any]:
    """A list to its end, page after page by the header Link."""
    seen: list[Any] = []
    while path:
        page = staff.get(path)
        assert page.status == 200, page.text
        seen += page.json
        link = page.headers.get("Link", "<>")
        path = link[1 : link.index(">")]
    return seen


@contextmanager
def table_calls() -> Iterator[Counter[str]]:
    """How often each operation of the table is called meanwhile."""
    real, calls = Table.call, Counter[str]()

    def call(table: Table, operation: str, request: Any) -> Any:
        calls[operation] += 1
        return real(table, operation, request)

    with patch.object(Table, "call", call):
        yield calls
