"""A person's statement: what it says, in each format, and that it can be checked by somebody without access."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger import store
from chalicelib.books.ledger.model import Balance, Holder
from chalicelib.dynamo.expressions import Path as Attribute
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Update, anyway, commit, never
from chalicelib.entrypoints.academy import statement as route
from chalicelib.flows.statement import read
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.moto_table import all_rows
from tests.shop import CHAT, MENTORING
from tests.statements import statement_of, verified, wrong_with
from tests.world import Person, World

PATH = "/v1/payments/me/statement"
MENTORSHIP = "mentorship-service"
SESSIONS = f"/v1/payments/me/service/{MENTORSHIP}/consumptionsession"


def use(world: World, person: Person) -> int:
    world.advance(minutes=2)
    answer = person.put(SESSIONS)
    assert answer.status == 201, answer.text
    return int(answer.json["id"])


@pytest.fixture
def user(world: World) -> Person:
    """Somebody who bought a plan and ten units more, used three, and gave one back."""
    person = world.paying()
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    world.settle()
    world.advance(days=1)
    assert person.buy().status == 201
    world.settle()
    for _ in range(2):
        use(world, person)
    assert person.put(f"{SESSIONS}/{use(world, person)}/cancel").status == 200
    check_books(world)
    return person


def of_service(statement: Any, service_id: int) -> Any:
    (found,) = (account for account in statement["accounts"] if account["service"]["id"] == service_id)
    return found


class TestWhatItSays:
    def test_each_entry_with_its_balance_its_lots_and_its_invoice(self, world: World, user: Person) -> None:
        statement = statement_of(user)
        assert statement["holder"] == f"USER#{user.user_id}"
        (account,) = (one for one in statement["accounts"] if one["service"]["slug"] == MENTORSHIP)
        entries = account["entries"]
        kinds = [(one["content"]["kind"], one["content"]["units"], one["balance"]) for one in entries]
        assert kinds == [
            ("grant", 2, 2),
            ("grant", 10, 12),
            ("consume", -1, 11),
            ("consume", -1, 10),
            ("consume", -1, 9),
            ("release", 1, 10),
        ]
        assert account["totals"] == {"entries": 6, "unchained": 0, "received": 13, "spent": 3, "balance": 10}
        assert sum(lot["remaining"] for lot in account["lots"]) == user.units(MENTORSHIP) == 10
        assert account["heads"] == [entries[-1]["hash"]]
        assert entries[1]["content"]["cause"] == f"invoice:{entries[1]['invoices'][0]}"
        assert entries[2]["content"]["portions"][0]["lot_id"] in {lot["id"] for lot in account["lots"]} | {
            portion["lot_id"] for portion in entries[0]["content"]["portions"]
        }

    def test_the_invoices_in_major_units(self, user: Person) -> None:
        shown = {invoice["id"]: invoice for invoice in statement_of(user)["invoices"]}
        assert {one["id"]: one["amount"] for one in user.invoices()} == {
            ident: invoice["amount"] for ident, invoice in shown.items()
        }
        assert {invoice["currency"]["code"] for invoice in shown.values()} == {"USD"}
        assert 59.99 in {invoice["amount"] for invoice in shown.values()}

    def test_nothing_of_others(self, world: World, user: Person) -> None:
        other = world.person()
        statement = statement_of(other)
        assert (statement["accounts"], statement["invoices"]) == ([], [])
        assert wrong_with(statement, sealed=False) == []
        assert world.call("GET", PATH).status == 401

    def test_one_academy_where_one_is_named(self, world: World, user: Person) -> None:
        assert len(statement_of(user, academy=str(world.academy_id))["accounts"]) == 3
        assert statement_of(user, academy="4geeks")["academy"] == world.academy_id
        elsewhere = statement_of(user, academy="77")
        assert elsewhere["accounts"] == []

    def test_a_digest_of_all_that_it_says(self, world: World, user: Person) -> None:
        """Also of when it was made, and of the invoices as they are."""
        first = statement_of(user)
        world.advance(minutes=1)
        second = statement_of(user)
        assert first["digest"] != second["digest"]
        assert wrong_with({**second, "generated_at": first["generated_at"]}, sealed=False)
        (invoice, *others) = first["invoices"]
        paid_less = {**invoice, "amount": invoice["amount"] - 1}
        assert wrong_with({**first, "invoices": [paid_less, *others]}, sealed=False)

    @pytest.mark.parametrize("query", ["format=xml", "since=yesterday", "academy=no-such"])
    def test_refuses_what_it_cannot_read(self, user: Person, query: str) -> None:
        assert user.get(f"{PATH}?{query}").status in (400, 404)


class TestChecking:
    def test_finds_nothing_wrong(self, tmp_path: Path, user: Person) -> None:
        code, told = verified(tmp_path, statement_of(user))
        assert (code, told.splitlines()[-1]) == (0, "Nothing is wrong.")
        assert "8 entries, 3 heads" in told

    def test_finds_an_entry_that_was_changed_in_the_table(self, world: World, tmp_path: Path, user: Person) -> None:
        row = next(row for row in all_rows(world.table) if row.key.sk.endswith("#release"))
        doc = row.doc.replace('"units":1', '"units":9')
        put_back = Update(
            key=row.key, actions=(Attribute("doc").set(doc),), condition=anyway, refused=never("no condition")
        )
        commit(world.table, [put_back])
        code, told = verified(tmp_path, statement_of(user))
        assert code == 1
        assert "#release does not have the hash of its content" in told

    def test_finds_an_entry_that_nothing_leads_to(self, world: World, tmp_path: Path, user: Person) -> None:
        holder = Holder.person(user.user_id)
        page = next(page for page in ledger.own_balances(world.table, holder) if page.unit.service_id == MENTORING)
        heads = tuple(Attribute([f"head_{head}"]).remove() for head in page.heads)
        key = store.balance_key(holder, page.unit, page.page)
        commit(world.table, [Update(key=key, actions=heads, condition=anyway, refused=never("no condition"))])
        code, told = verified(tmp_path, statement_of(user))
        assert code == 1
        assert "nothing leads to entry" in told

    def test_finds_the_older_one_in_the_newer_one(self, world: World, tmp_path: Path, user: Person) -> None:
        old = statement_of(user)
        use(world, user)
        new = statement_of(user)
        assert verified(tmp_path, new, old)[0] == 0
        code, told = verified(tmp_path, old, new)
        assert code == 1
        assert "the first statement is older" in told and "of before is not there" in told

    def test_counts_what_is_older_than_hashes(self, world: World, tmp_path: Path, user: Person) -> None:
        for row in all_rows(world.table):
            links = [name for name in row.values if name == "hash" or name.startswith("head_")]
            if links:
                actions = tuple(Attribute([name]).remove() for name in links)
                commit(world.table, [Update(key=row.key, actions=actions, condition=anyway, refused=never("none"))])
        assert statement_of(user)["accounts"][0]["totals"]["unchained"] > 0
        use(world, user)
        code, told = verified(tmp_path, statement_of(user))
        assert code == 0, told
        assert "8 entries are older than hashes are" in told


class TestSince:
    def test_opens_with_what_was_before_and_names_it(self, world: World, tmp_path: Path, user: Person) -> None:
        world.advance(days=1)
        use(world, user)
        day = world.now.date().isoformat()
        statement = statement_of(user, since=day)
        account = of_service(statement, MENTORING)
        assert (account["opening"], [one["balance"] for one in account["entries"]]) == (10, [9])
        assert account["earlier"] == account["entries"][0]["content"]["parents"]
        untouched = of_service(statement, CHAT)
        assert (untouched["entries"], untouched["earlier"]) == ([], untouched["heads"])
        code, told = verified(tmp_path, statement, statement_of(user, since=day))
        assert code == 0, told
        assert "named and not shown" in told

    def test_hides_nothing_that_a_whole_statement_shows(self, world: World, tmp_path: Path, user: Person) -> None:
        later = statement_of(user, since=(world.now + timedelta(days=9)).date().isoformat())
        assert [account["entries"] for account in later["accounts"]] == [[], [], []]
        assert verified(tmp_path, later, statement_of(user))[0] == 0


class TestFormats:
    def test_csv_has_a_row_an_entry(self, user: Person) -> None:
        answer = user.get(f"{PATH}?format=csv")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        entries = [(a, e) for a in statement_of(user)["accounts"] for e in a["entries"]]
        assert [(row["account"], row["id"], row["hash"], int(row["units"]), int(row["balance"])) for row in rows] == [
            (account["account"], e["content"]["id"], e["hash"], e["content"]["units"], e["balance"])
            for account, e in entries
        ]
        assert rows[0]["lots"] and rows[0]["invoices"] and rows[0]["currencies"] == "USD"

    def test_pdf_by_a_link_unless_it_is_asked_for_by_its_type(self, world: World, user: Person) -> None:
        linked = user.get(f"{PATH}?format=pdf", Accept="text/html,*/*").json
        (name, (body, media_type)) = next(iter(world.files.kept.items()))
        assert linked["url"] == f"https://files.example.com/{name}?seconds=3600"
        assert linked["expires_at"].startswith((world.now + timedelta(hours=1)).isoformat()[:19])
        assert name.startswith(f"statements/{user.user_id}/") and media_type == "application/pdf"
        assert body.startswith(b"%PDF-")
        answer = user.get(f"{PATH}?format=pdf", Accept="application/pdf")
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.text.startswith("JVBERi0")  # %PDF- in base64, as API Gateway takes it

    @pytest.mark.parametrize("wanted", ["json", "csv"])
    def test_what_is_large_is_fetched_by_a_link(
        self, world: World, user: Person, wanted: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        direct = user.get(f"{PATH}?format={wanted}").text
        monkeypatch.setattr(route, "BYTES_MAX", len(direct.encode()) - 1)
        answer = user.get(f"{PATH}?format={wanted}")
        assert set(answer.json) == {"url", "expires_at"}
        ((body, _),) = world.files.kept.values()
        assert body.decode() == direct
        monkeypatch.setattr(route, "BYTES_MAX", len(direct.encode()))
        assert user.get(f"{PATH}?format={wanted}").text == direct


class TestLotsThatWereRetimed:
    """What is shown of a lot that ends at another time than was granted."""

    def test_end_as_the_last_entry_of_them_says(self, world: World, tmp_path: Path, user: Person) -> None:
        holder = Holder.person(user.user_id)
        page = next(page for page in ledger.own_balances(world.table, holder) if page.unit.service_id == MENTORING)
        (lot,) = page.lots
        writes = store.retime_writes(
            holder, page, {lot.id: world.now}, entry_id="1_r#retime", cause="subscription:1", now=world.now
        )
        commit(world.table, writes)
        assert user.units(MENTORSHIP) == 0
        found = of_service(statement_of(user), MENTORING)
        assert found["entries"][-1]["content"]["kind"] == "retime"
        assert [one["balance"] for one in found["entries"]][-2:] == [10, 10]
        assert found["lots"][0]["valid_until"][:19] == world.now.isoformat()[:19]
        code, told = verified(tmp_path, statement_of(user))
        assert code == 0, told
        shown = list(csv.DictReader(io.StringIO(user.get(f"{PATH}?format=csv").text)))
        assert [row["lots"] for row in shown if row["kind"] == "retime"] == [
            f"{lot.id}:until={world.now.isoformat()[:19]}"
        ]
        assert user.get(f"{PATH}?format=pdf").status == 200
        check_books(world)


class TestLimits:
    def test_of_what_is_shown_ask_for_a_later_day(self, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read, "ENTRIES_SHOWN_MAX", 7)
        refused = user.get(PATH)
        assert (refused.status, refused.json["slug"]) == (400, "statement-too-long")
        assert user.get(f"{PATH}?since=2026-11-22").status == 200
        monkeypatch.setattr(read, "ENTRIES_SHOWN_MAX", 8)
        assert user.get(PATH).status == 200

    def test_of_what_is_read(self, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read, "ENTRIES_READ_MAX", 7)
        refused = user.get(f"{PATH}?since=2026-11-22")
        assert (refused.status, refused.json["slug"]) == (409, "history-too-long")


class TestWhileOthersWrite:
    def test_it_is_of_one_moment(self, world: World, tmp_path: Path, user: Person) -> None:
        """A use that comes between reading the pages and reading the entries is in neither, or in both."""
        pages = ledger.own_balances
        uses = 0

        def pages_then_a_use(table: Table, holder: Holder) -> list[Balance]:
            nonlocal uses
            found = pages(table, holder)
            uses += 1
            with patch.object(ledger, "own_balances", pages):
                use(world, user)
            return found

        with patch.object(ledger, "own_balances", pages_then_a_use):
            statement = statement_of(user)
        assert uses == 2
        code, told = verified(tmp_path, statement)
        assert code == 0, told
        assert of_service(statement, MENTORING)["totals"]["spent"] == 4  # the first of the two, which was read again


class TestMoneyThatWentBack:
    """What refunds and disputes do to the ledger, a statement shows and the script believes."""

    def test_in_part_and_disputed(self, world: World, user: Person, tmp_path: Path) -> None:
        bought = next(i for i in world.at_stripe("payment_intent") if i["amount"] == 45000)
        world.control(f"/_control/refund/{bought['id']}", {"amount": 20000})
        world.control(f"/_control/dispute/{bought['id']}", {"outcome": "open"})
        world.settle()
        found = of_service(statement_of(user), MENTORING)
        assert sorted((lot["remaining"], lot["frozen"]) for lot in found["lots"]) == [(0, 6)]
        assert verified(tmp_path, statement_of(user))[0] == 0

    @pytest.mark.parametrize("amount", [None, 1000])
    def test_for_a_plan_that_is_cancelled(self, world: World, user: Person, tmp_path: Path, amount: int | None) -> None:
        clerk = staff(world, "issue_refund")
        invoice = next(i for i in user.invoices() if i["amount"] == 59.99)
        body = {"academy": world.academy_id, "plan_action": "cancel_now", **({"amount": 10} if amount else {})}
        path = f"/v1/payments/academy/invoice/{invoice['id']}/refund"
        assert clerk.post(path, body, Idempotency_Key="k").status == 201
        code, said = verified(tmp_path, statement_of(user))
        assert code == 0, said
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        world.settle()
        code, said = verified(tmp_path, statement_of(user))
        assert code == 0, said
