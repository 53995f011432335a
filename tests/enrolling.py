"""An academy that invites: its staff, a cohort, and the link out of a mail."""

from __future__ import annotations

from typing import Any

from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import Cohort, ResourceSet, SetKind
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import commit
from chalicelib.kernel.documents import Document
from tests.shop import COHORT_SET, put
from tests.staffing import Clerk
from tests.world import Person, Reply, World

STUDENT, INVITES = "/v1/auth/academy/student", "/v1/auth/academy/invite"
PASSWORD = "a long enough password"
EMAIL = "kay@example.org"
SAAS, LATER, HALL = 71, 72, 73
"""Cohorts: one in the shop's cohort set, one that is not, and one that is not available as SaaS."""


def open_cohorts(world: World) -> None:
    """Three cohorts; the plans of the shop are for the first one."""
    for ident, slug in ((SAAS, "saas"), (LATER, "later"), (HALL, "hall")):
        saas = ident != HALL
        put(
            world.table,
            Cohort(id=ident, academy_id=world.academy_id, slug=slug, name=slug.title(), available_as_saas=saas),
        )
    change(world, ResourceSet, catalog.set_key(world.academy_id, SetKind.COHORT, COHORT_SET), member_ids=(SAAS,))


def change(world: World, kind: type[Document], key: Any, **changed: Any) -> None:
    """Change a row of the catalog as staff do."""
    row = world.table.get(key)
    assert row is not None
    after = load(kind, row).model_copy(update=changed)
    commit(world.table, [catalog.changed(after, version=row.version)])


def a_student(**changed: Any) -> dict[str, Any]:
    return {"email": EMAIL, "first_name": "Kay", "last_name": "McNulty", "invite": True, "cohort": [SAAS], **changed}


def invited(staff: Clerk, *plans: int, **changed: Any) -> str:
    """Invite somebody, and answer the secret of the link that they are mailed."""
    answer = staff.post(STUDENT, a_student(plans=list(plans), **changed))
    assert answer.status == 201, answer.text
    staff.person.world.work()
    return secret_of(staff.person.world, changed.get("email", EMAIL))


def secret_of(world: World, email: str = EMAIL) -> str:
    """The secret in the last mail with a link."""
    return secrets_of(world, email)[-1]


def secrets_of(world: World, email: str = EMAIL) -> list[str]:
    mails = [mail.text for mail, _ in world.mailer.sent if mail.to == email and "/invite/" in mail.text]
    return [text.partition("/invite/")[2].split()[0] for text in mails]


def accept(world: World, secret: str, password: str = PASSWORD, **headers: str) -> Reply:
    return world.call("POST", f"/v1/auth/invite/{secret}/accept", body={"password": password}, headers=headers)


def signed_in(world: World, answer: Reply) -> Person:
    """The person of an answer with a token."""
    assert answer.status == 200, answer.text
    return Person(world, answer.json["user_id"], answer.json["email"], answer.json["token"])


def login(world: World, email: str = EMAIL) -> Reply:
    return world.call("POST", "/v1/auth/login", body={"email": email, "password": PASSWORD})
