"""What must hold of teams after every step, looked at where one changed: nobody sits there unpaid or twice, no member
uses more of the pool than any cap that was set allowed, and no month of recharges comes to more than any limit did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.books.teams.model import Seat, Team
from tests.team_books import seated

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

Item = dict[str, Any]


class Seatings:
    """Sees the rows of teams, and the holdings, that change."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._changed: set[int] = set()
        self._caps: defaultdict[int, list[int | None]] = defaultdict(lambda: [None])
        self._limits: defaultdict[int, int] = defaultdict(int)

    def row(self, pk: str, sk: str, old: Item | None, new: Item) -> Iterator[str]:
        """A row of a team's partition."""
        ident = int(pk.removeprefix("TEAM#"))
        self._changed.add(ident)
        if sk == "TEAM":
            team = Team.model_validate_json(new["doc"]["S"])
            self._caps[ident].append(team.per_member_cap)
            limit = None if team.recharge is None else team.recharge.max_period_spend
            self._limits[ident] = max(self._limits[ident], limit or 0)
        elif sk.startswith("USED#"):
            used, before = int(new["used"]["N"]), 0 if old is None else int(old["used"]["N"])
            most = max((cap for cap in self._caps[ident] if cap is not None), default=0)
            if used < 0 or (used > before and used > most):
                yield f"{pk} {sk} counts {used} units; no cap allowed more than {most}"
        elif sk.startswith("SPEND#"):
            spent = int(new["spent"]["N"])
            if not 0 <= spent <= self._limits[ident]:
                yield f"{pk} {sk} counts {spent}; no limit allowed more than {self._limits[ident]}"

    def holding(self, row: Item) -> None:
        """What is paid for may have changed."""
        self._changed.add(int(row["sk"]["S"].partition("#")[2]))

    def looked(self) -> Iterator[str]:
        """What is wrong with the teams that changed since the last look."""
        changed, self._changed = sorted(self._changed), set()
        for ident in changed:
            row = self._stage.memory.get((f"TEAM#{ident}", "TEAM"))
            if row is not None:
                team = Team.model_validate_json(row["doc"]["S"])
                rows = self._stage.memory.beginning(f"TEAM#{ident}", "SEAT#")
                yield from seated(team, self._held(team), [Seat.model_validate_json(one["doc"]["S"]) for one in rows])

    def _held(self, team: Team) -> Holding:
        kind: type[Subscription] | type[Financing] = Financing if team.financed else Subscription
        prefix = "FIN" if team.financed else "SUB"
        row = self._stage.memory.get((f"USER#{team.owner_id}", f"{prefix}#{team.id:016d}"))
        assert row is not None, f"team {team.id} is of no holding"
        return kind.model_validate_json(row["doc"]["S"])
