"""Check a statement offline: `python verify_statement.py statement.json [an-older-one.json]`.

This one file and Python 3.10 or newer are all that is needed: nothing is asked of anybody. `make verify-statement
FILE=statement.json AGAINST=older.json` does the same.

What it checks of each account (docs/decisions/0007): every entry has the hash of its content; the entries that it names
are there; each entry is a head or is named by another, and never both; the order, the running balance, the totals and
what each lot has left follow from the entries. Against an older statement: all that led or stood in it is in the newer
one, unchanged. What nothing can show is that the newest entries were cut off and the rest made to fit, unless somebody
kept a statement from before.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = "purser-statement/1"
WRONG_SHOWN_MAX = 50

Json = dict[str, Any]


class Unreadable(Exception):
    """The file is no statement."""


def main(arguments: list[str]) -> int:
    """Say what was checked and everything that is wrong. Answers 0 where nothing is."""
    if not 1 <= len(arguments) <= 2:
        _say(__doc__.split("\n\n", 1)[0])
        return 2
    try:
        statements = {name: read(Path(name)) for name in arguments}
        wrong = [f"{name}: {one}" for name, found in statements.items() for one in wrong_with(found)]
        if len(arguments) == 2:
            wrong += wrong_against(*(statements[name] for name in arguments))
    except (Unreadable, OSError) as error:
        _say(f"WRONG: {error}")
        return 1
    for name, found in statements.items():
        _say(f"{name}: {summary(found)}")
    for one in wrong[:WRONG_SHOWN_MAX]:
        _say(f"WRONG: {one}")
    if len(wrong) > WRONG_SHOWN_MAX:
        _say(f"... and {len(wrong) - WRONG_SHOWN_MAX} more")
    _say("Nothing is wrong." if not wrong else f"{len(wrong)} things are wrong.")
    return 1 if wrong else 0


def read(path: Path) -> Json:
    """The statement in a file. Raises Unreadable, also for names that stand twice in one object."""
    try:
        found = json.loads(path.read_bytes().decode(), object_pairs_hook=_object)
    except ValueError as error:
        raise Unreadable(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Unreadable(f"{path} is no statement of the format {FORMAT}")
    return found


def summary(statement: Json) -> str:
    """What was looked at."""
    accounts = statement["accounts"]
    entries = [entry for account in accounts for entry in account["entries"]]
    unchained = sum(entry["hash"] is None for entry in entries)
    earlier = sum(len(account["earlier"]) for account in accounts)
    heads, lots = (sum(len(account[name]) for account in accounts) for name in ("heads", "lots"))
    told = [
        f"{len(accounts)} accounts of {statement['holder']}, {len(entries)} entries, {heads} heads, {lots} open lots",
        f"made at {statement['generated_at']}, digest {statement['digest']}",
    ]
    if unchained:
        told.append(f"{unchained} entries are older than hashes are, and nothing protects them")
    if earlier:
        told.append(f"{earlier} entries before {statement['since']} are named and not shown; they are not checked")
    return "; ".join(told)


def wrong_with(statement: Json) -> list[str]:
    """Everything that is wrong with a statement by itself. Raises Unreadable where something is not there."""
    try:
        wrong = []
        if statement["digest"] != digest({name: value for name, value in statement.items() if name != "digest"}):
            wrong.append("the digest is not that of the statement")
        accounts = statement["accounts"]
        wrong += _of_invoices(statement["invoices"], accounts)
        for word, count in Counter(entry["content"]["id"] for one in accounts for entry in one["entries"]).items():
            if count > 1:
                wrong.append(f"entry {word} stands {count} times")
        names = [account["account"] for account in accounts]
        if names != sorted(set(names)):
            wrong.append("the accounts are not in order, each once")
        for account in accounts:
            found = _Account(statement, account)
            checks = (found.entries, found.graph, found.order, found.sums, found.lots)
            wrong += [f"account {account['account']}: {one}" for check in checks for one in check()]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise Unreadable(f"something of a statement is missing or has another form: {error!r}") from error
    return wrong


def wrong_against(new: Json, old: Json) -> list[str]:
    """What an older statement says that a newer one does not."""
    if new["holder"] != old["holder"]:
        return [f"the statements are of two holders, {new['holder']} and {old['holder']}"]
    wrong = []
    if _instant(new["generated_at"]) < _instant(old["generated_at"]):
        wrong.append("the first statement is older than the second")
    accounts = {account["account"]: account for account in new["accounts"]}
    for before in old["accounts"]:
        if new["academy"] not in (None, before["academy"]):
            continue
        after = accounts.get(before["account"])
        if after is None:
            wrong.append(f"account {before['account']} is gone")
            continue
        wrong += [f"account {before['account']}: {one}" for one in _lost(before, after, new["since"])]
    return wrong


def digest(value: Json) -> str:
    """SHA-256, in hex, of canonical JSON: names in order, no space, UTF-8."""
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Numbers as RFC 8785 writes them, which knows no 30.0; everything else as it is."""
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_invoices(invoices: list[Json], accounts: list[Json]) -> list[str]:
    """Each invoice once, in order, and only those that something names. Another person's may be named and not shown."""
    named = {one for found in accounts for entry in found["entries"] for one in entry["invoices"]}
    named |= {lot["invoice"] for found in accounts for lot in found["lots"]}
    shown = [invoice["id"] for invoice in invoices]
    wrong = [] if shown == sorted(set(shown)) else ["the invoices are not in order, each once"]
    return wrong + [f"nothing names invoice {ident}" for ident in shown if ident not in named]


class _Account:
    """The checks of one account, each of which answers what is wrong."""

    def __init__(self, statement: Json, account: Json) -> None:
        self.holder: str = statement["holder"]
        self.since: str | None = statement["since"]
        self.account = account
        self.shown: list[Json] = account["entries"]
        self.hashes: set[str] = {entry["hash"] for entry in self.shown if entry["hash"] is not None}
        self.earlier: set[str] = set(account["earlier"])

    def entries(self) -> list[str]:
        """Each entry by itself."""
        wrong = []
        for entry in self.shown:
            content = entry["content"]
            name, portions, unit = content["id"], content["portions"], content["unit"]
            if entry["hash"] is not None and entry["hash"] != digest(content):
                wrong.append(f"entry {name} does not have the hash of its content")
            if content["holder"] != self.holder:
                wrong.append(f"entry {name} is of {content['holder']}")
            if _name(unit["academy_id"], unit["service_id"], unit.get("set")) != self.account["account"]:
                wrong.append(f"entry {name} is of another account")
            if abs(content["units"]) != sum(one["units"] for one in portions if not one.get("unlimited")):
                wrong.append(f"entry {name} says {content['units']} units, its lots say otherwise")
            origins = [one["origin"] for one in portions if one.get("origin")]
            paid = [origin["invoice_id"] for origin in origins if origin.get("invoice_id") is not None]
            if entry["invoices"] != list(dict.fromkeys(paid)):
                wrong.append(f"entry {name} names other invoices than its lots do")
            if self.since is not None and content["at"][:10] < self.since:
                wrong.append(f"entry {name} is from before {self.since}")
        service, of_set = self.account["service"], self.account["set"]
        if _name(self.account["academy"], service["id"], of_set) != self.account["account"]:
            wrong.append("its name is not that of its service, academy and set")
        units = [entry["content"]["unit"] for entry in self.shown]
        if self.since is None and units and (service["slug"], of_set) not in map(_shown_unit, units):
            wrong.append("its service or set has another slug than in every entry")
        return wrong

    def graph(self) -> list[str]:
        """Each entry is named by a later one or is a head, and what is named is there."""
        heads = set(self.account["heads"])
        named: set[str] = {
            one for entry in self.shown if entry["hash"] for one in entry["content"].get("parents") or ()
        }
        known = self.hashes | self.earlier
        wrong = [f"it names an entry {one} that is not there" for one in sorted(named - known)]
        wrong += [f"it is led by an entry {one} that is not there" for one in sorted(heads - known)]
        wrong += [f"the head {one} is named by another entry" for one in sorted(heads & named)]
        loose = self.hashes - heads - named
        wrong += [f"nothing leads to entry {one['content']['id']}" for one in self.shown if one["hash"] in loose]
        wrong += [f"nothing leads to the earlier entry {one}" for one in sorted(self.earlier - heads - named)]
        if self.since is None and self.earlier:
            wrong.append("it has earlier entries that are not shown, though all were asked for")
        for name in ("heads", "earlier"):
            if self.account[name] != sorted(set(self.account[name])):
                wrong.append(f"its {name} are not in order, each once")
        if self.earlier & self.hashes:
            wrong.append("it counts entries as earlier that are shown")
        if len(self.hashes) != sum(entry["hash"] is not None for entry in self.shown):
            wrong.append("two of its entries have one hash")
        return wrong

    def order(self) -> list[str]:
        """Each entry after those it names; then by time, then by id."""
        if [entry["content"]["id"] for entry in self.shown] != _in_order(self.shown):
            return ["its entries are not in order"]
        return []

    def sums(self) -> list[str]:
        """The running balance and the totals."""
        wrong, balance = [], self.account["opening"]
        if self.since is None and balance != 0:
            wrong.append(f"it opens with {balance}")
        for entry in self.shown:
            balance += entry["content"]["units"]
            if entry["balance"] != balance:
                wrong.append(f"after entry {entry['content']['id']} it shows {entry['balance']} and has {balance}")
        units = [entry["content"]["units"] for entry in self.shown]
        totals = {
            "entries": len(units),
            "unchained": sum(entry["hash"] is None for entry in self.shown),
            "received": sum(one for one in units if one > 0),
            "spent": -sum(one for one in units if one < 0),
            "balance": balance,
        }
        if self.account["totals"] != totals:
            wrong.append(f"its totals are {self.account['totals']}, its entries say {totals}")
        left = sum(max(0, lot["remaining"]) + max(0, lot["frozen"]) for lot in self.account["lots"])
        if left != balance:
            wrong.append(f"its entries leave {balance}, its lots have {left}")
        return wrong

    def _ended_early(self) -> set[str]:
        """The lots that a refund ended before their time, and that no later entry began again or retimed."""
        ended: set[str] = set()
        for entry in self.shown:
            named = {one["lot_id"] for one in entry["content"]["portions"] if not one["units"]}
            if entry["content"]["kind"] == "reverse":
                ended |= {one["lot_id"] for one in entry["content"]["portions"]}
            elif entry["content"]["kind"] in ("restore", "retime"):
                ended -= named
        return ended

    def _ends(self) -> dict[str, set[datetime | None]]:
        """When each lot may end: as it was granted or retimed the last time, or, where it was emptied and units came
        back to it, as it ended before.
        """
        ends: dict[str, set[datetime | None]] = {}
        for entry in self.shown:
            kind = entry["content"]["kind"]
            for one in entry["content"]["portions"]:
                end = None if one.get("expires_at") is None else _second(one["expires_at"])
                if kind == "retime" or one["lot_id"] not in ends:
                    ends[one["lot_id"]] = {end}
                elif kind in ("release", "restore", "reverse"):
                    ends[one["lot_id"]].add(end)
        return ends

    def lots(self) -> list[str]:
        """What each lot has left, and what it was. Of a lot whose beginning is not shown there is nothing to say."""
        lots = {lot["id"]: lot for lot in self.account["lots"]}
        wrong = [] if len(lots) == len(self.account["lots"]) else ["a lot stands twice"]
        if self.since is not None:
            return wrong
        left: dict[str, int] = {}
        known: dict[str, Json] = {}
        for entry in self.shown:
            sign = -1 if entry["content"]["units"] < 0 else 1
            for one in entry["content"]["portions"]:
                known.setdefault(one["lot_id"], one)
                moved = _switched(entry["content"]["kind"]) if one.get("unlimited") else sign * one["units"]
                left[one["lot_id"]] = left.get(one["lot_id"], 0) + moved
        ended, ends = self._ended_early(), self._ends()
        for ident, lot in lots.items():
            if ident not in known:
                wrong.append(f"lot {ident} comes from nowhere")
                continue
            was = known[ident]
            units = -left[ident] if was.get("unlimited") else left[ident]
            has = lot["remaining"] + lot["frozen"]
            if has != units:
                wrong.append(f"lot {ident} has {has}, its entries leave {units}")
            if _facts(lot) != _facts_of(was) or not _lives(lot, ends[ident], early=ident in ended):
                wrong.append(f"lot {ident} is not what was granted")
        gone = [ident for ident, units in left.items() if units and ident not in lots]
        return wrong + [f"lot {ident} is gone, its entries leave {left[ident]}" for ident in gone]


def _switched(kind: str) -> int:
    """What opens an unlimited lot, and what closes it: a use of it does neither."""
    return {"grant": 1, "restore": 1, "reverse": -1, "revoke": -1, "expire": -1}.get(kind, 0)


def _facts(lot: Json) -> tuple[Any, ...]:
    return (lot["granted"], _second(lot["created_at"]), lot["source"], lot["invoice"])


def _facts_of(portion: Json) -> tuple[Any, ...]:
    origin = portion["origin"]
    return (portion["granted"], _second(portion["created_at"]), origin["source"], origin.get("invoice_id"))


def _lives(lot: Json, ends: set[datetime | None], *, early: bool) -> bool:
    """Whether the lot ends when it may. `early`: it ended before, with a plan that was cancelled."""
    until = None if lot["valid_until"] is None else _second(lot["valid_until"])
    if not early or until is None:
        return until in ends
    return any(end is None or until <= end for end in ends)


def _in_order(entries: list[Json]) -> list[str]:
    """The ids as they must stand, by Kahn's algorithm with the oldest first."""
    present = {entry["hash"] for entry in entries if entry["hash"] is not None}
    waiting: dict[str, int] = {}
    later: dict[str, list[Json]] = {}
    ready: list[tuple[datetime, str, str | None]] = []
    for entry in entries:
        content = entry["content"]
        before = present.intersection(content.get("parents") or ())
        waiting[content["id"]] = len(before)
        for parent in before:
            later.setdefault(parent, []).append(entry)
        if not before:
            ready.append((_instant(content["at"]), content["id"], entry["hash"]))
    heapq.heapify(ready)
    found = []
    while ready:
        _, ident, hashed = heapq.heappop(ready)
        found.append(ident)
        for entry in later.get(hashed, []) if hashed is not None else []:
            content = entry["content"]
            waiting[content["id"]] -= 1
            if waiting[content["id"]] == 0:
                heapq.heappush(ready, (_instant(content["at"]), content["id"], entry["hash"]))
    return found


def _lost(before: Json, after: Json, since: str | None) -> list[str]:
    """What an older statement of an account has and a newer one has not."""
    shown = {entry["hash"] for entry in after["entries"]}
    unchained = {entry["content"]["id"]: entry["content"] for entry in after["entries"] if entry["hash"] is None}
    known = shown | set(after["earlier"])
    wrong = [f"its head {one} of before is not there" for one in before["heads"] if one not in known]
    if since is not None:
        wrong = [f"{one}; a statement without `since` may have it" for one in wrong]
    for entry in before["entries"]:
        content = entry["content"]
        if since is not None and content["at"][:10] < since:
            continue
        if entry["hash"] is None:
            if unchained.get(content["id"]) != content:
                wrong.append(f"entry {content['id']}, which has no hash, is gone or was changed")
        elif entry["hash"] not in shown:
            wrong.append(f"entry {content['id']} of before is gone or was changed")
    return wrong


def _shown_unit(unit: Json) -> tuple[str, Json | None]:
    return unit["service_slug"], unit.get("set")


def _name(academy_id: int, service_id: int, of_set: Json | None) -> str:
    return f"{academy_id}#{service_id}#{'-' if of_set is None else '{kind}.{id}'.format(**of_set)}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _second(text: str) -> datetime:
    """Lots keep their times to the second."""
    return _instant(text).replace(microsecond=0)


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
