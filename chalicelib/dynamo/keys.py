"""Key builders. Every partition names its tenant or its person, so that a caller cannot name another's row.

- `USER#{user}`: a person's own rows: `USER`, `CUSTOMER#{account}`, `BAG#{id}`, `INVOICE#{id}`, `SUB#{id}`,
  `FIN#{id}`, `CLAIM#...`, `RATE#...`, `SESSION#...`, `ACT#{id}`, `MEMBER#{team}`
- `TEAM#{subscription or financing}`: `TEAM`, `SEAT#{id}`, `EMAIL#{hash of the e-mail}`, `USED#{user}#{period}`,
  `RECHARGE#{unit}`, `SPEND#{month}`; found through its owner's row
- `LEDGER#{holder}`: what a person or a team pool owns: `BAL#{academy}#{service}#{set}#{page}` (lots, and
  the heads of its entries' hashes), `ENTRY#...`
- `ACADEMY#{id}`: an academy's catalog: `ACADEMY`, `PLAN#{id}`, `PRICE#{service}`, `OPTION#{id}`, `SET#{kind}#{id}`,
  `COUPON#{slug}`, `AUTOMATIC#{slug}` (a coupon's place in the order of expiry), `COHORT#{id}`, `PLANOFFER#{id}`,
  `AUDIT#{id}`, `STUDENT#{user}`, `INVITATION#{id}`, `INVITED#{hash of the e-mail}`; `SLUG#...`, which of its sets and
  cohorts has a slug; `CLAIM#...`
- `SERVICE#{id}`, `ITEM#{id}`: rows that academies share
- `SLUG#{kind}#{slug}`: which id has a slug
- `TOKEN#{hash}`, `EMAIL#{hash}`, `KEY#{id}`: credentials; `SOURCE#{hash}`: failed logins of an address
- `IDEMPOTENCY#{caller}`: answers given, by route and key
- `INBOX#{event}`, `OUTBOX#{id}`: what came in, what must go out
- `WAITING#{plan}`: how many places of a plan are used, and who waits for one
- `DRIFT#{id}`: where the processor and we differ; `WALKS`: how far each list was looked through
"""

from __future__ import annotations

import zlib

from chalicelib.kernel.ids import sortable

DUE_SHARDS = 4


def user(user_id: int) -> str:
    return f"USER#{user_id}"


def academy(academy_id: int) -> str:
    return f"ACADEMY#{academy_id}"


def team(team_id: int) -> str:
    return f"TEAM#{team_id}"


def waiting(plan_id: int) -> str:
    return f"WAITING#{plan_id}"


def ordered(prefix: str, number: int) -> str:
    """A sort key that lists in the order of ids."""
    return f"{prefix}#{sortable(number)}"


def due_shard(kind: str, identity: str) -> str:
    """The partition of the due index in which a row waits: spread, so that no partition takes all the writes."""
    return f"{kind}#{zlib.crc32(identity.encode()) % DUE_SHARDS}"


def due_shards(kind: str) -> list[str]:
    return [f"{kind}#{shard}" for shard in range(DUE_SHARDS)]
