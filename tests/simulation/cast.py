"""Who acts, and how often: a new actor is one file in actors/ and one line here."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.actors import (
    again,
    bank,
    buy,
    cancel,
    check,
    consume,
    dashboard,
    deliver,
    deploy,
    hold,
    join,
    live,
    look,
    pay,
    reconcile,
    retime,
    rush,
    sale,
    save_card,
    seat,
    spoil,
    staff,
    sweep,
    wait,
    work,
)
from tests.simulation.stage import Stage

Actor = Callable[[Stage], None]

CAST: tuple[tuple[Actor, int], ...] = (
    (check.act, 5),
    (pay.act, 18),
    (buy.act, 10),
    (sale.act, 1),
    (again.act, 9),
    (consume.act, 14),
    (cancel.act, 6),
    (save_card.act, 7),
    (look.act, 1),
    (deliver.act, 16),
    (work.act, 18),
    (sweep.act, 6),
    (reconcile.act, 2),
    (bank.act, 5),
    (dashboard.act, 3),
    (staff.act, 4),
    (retime.act, 2),
    (join.act, 2),
    (deploy.act, 1),
    (wait.act, 7),
    (live.act, 3),
    (hold.act, 5),
    (seat.act, 6),
    (spoil.act, 4),
)
"""Each actor and its weight."""

INTERRUPTING: tuple[tuple[Actor, int], ...] = (
    (again.act, 10),
    (pay.act, 7),
    (buy.act, 3),
    (consume.act, 5),
    (cancel.act, 4),
    (save_card.act, 5),
    (rush.act, 14),
    (work.act, 4),
    (live.hurry, 6),
    (hold.act, 4),
    (seat.act, 4),
    (sweep.act, 5),
    (reconcile.act, 1),
    (bank.act, 3),
    (dashboard.act, 2),
    (retime.act, 2),
)
"""Who may come in the midst of another's act."""
