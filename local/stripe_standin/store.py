"""Everything the stand-in remembers about Stripe's objects, with the few indexes that its lists need."""

import random
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

KINDS = (
    "customer",
    "payment_method",
    "setup_intent",
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "checkout.session",
    "webhook_endpoint",
)
INDEXED: dict[str, tuple[str, ...]] = {
    "customer": ("email",),
    "payment_method": ("customer",),
    "payment_intent": ("customer",),
    "charge": ("payment_intent", "customer"),
    "refund": ("charge", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
}
ID_CHARS = 24
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]


class Store:
    """Objects by kind and id in order of creation, and what Stripe knows but never shows (`hidden`)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS}
        self.hidden: dict[str, Json] = {}
        self._order: dict[str, int] = {}
        self._index: dict[tuple[str, str, str], dict[str, None]] = {}

    def new_id(self, prefix: str, chars: int = ID_CHARS) -> str:
        """A fresh id like Stripe's; `chars` is even."""
        number = self._rng.getrandbits(6 * chars)
        pairs = []
        for _ in range(chars // 2):
            number, rest = divmod(number, len(_PAIRS))
            pairs.append(_PAIRS[rest])
        return f"{prefix}_{''.join(pairs)}"

    def put(self, thing: Json) -> Json:
        kind, ident = thing["object"], thing["id"]
        self.objects[kind][ident] = thing
        self._order[ident] = len(self._order)
        for field in INDEXED.get(kind, ()):
            self.index(thing, field)
        return thing

    def index(self, thing: Json, field: str) -> None:
        """Make `thing` findable by the present value of an indexed field; earlier values stay candidates."""
        value = thing.get(field)
        if value is not None:
            self._index.setdefault((thing["object"], field, value), {})[thing["id"]] = None

    def get(self, kind: str, ident: str) -> Json | None:
        return self.objects[kind].get(ident)

    def place(self, ident: str) -> int:
        """Where in the order of creation an object stands."""
        return self._order[ident]

    def newest_first(self, kind: str, match: dict[str, str]) -> Iterator[Json]:
        """The objects whose fields equal `match`, the newest first; quick where one of the fields is indexed."""
        things = self.objects[kind]
        for field in INDEXED.get(kind, ()):
            if field in match:
                found = self._index.get((kind, field, match[field]), {})
                idents = sorted(found, key=self._order.__getitem__, reverse=True)
                candidates: Iterator[Json] = (things[ident] for ident in idents)
                break
        else:
            candidates = reversed(things.values())
        return (thing for thing in candidates if all(thing.get(field) == match[field] for field in match))

    def dump(self) -> Json:
        return {
            "objects": {kind: list(things.values()) for kind, things in self.objects.items()},
            "hidden": self.hidden,
        }

    def load(self, dumped: Json) -> None:
        self.objects = {kind: {} for kind in KINDS}
        self._order, self._index = {}, {}
        for kind in KINDS:
            for thing in dumped["objects"].get(kind, []):
                self.put(thing)
        self.hidden = dict(dumped["hidden"])
