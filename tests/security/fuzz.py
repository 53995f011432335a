"""Fuzz a running server from its own OpenAPI document, as everybody who may call it, within a stated time.

`python -m tests.security.fuzz` with the demo file of a `make run` in PURSER_DEMO, and optionally FUZZ_SECONDS (the
whole budget) and FUZZ_SEED. Each caller is run with the seed that stands here and with a fresh one, which is printed:
no 500, no undocumented status or type of content, no answer against its schema, nothing taken that the schema forbids.
The first of them tries every operation, or the budget is too small, which is a failure too. What was sent stays there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.demo_calls import expect, request

SECONDS = 45
EXAMPLES_PER_OPERATION_MAX = 10
FIXED_SEED = 1
OVERTIME_SECONDS = 60
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
HOOKS = "tests.security.fuzz_hooks"
CARD = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "30", "cvc": "435"}
LOGOUT = "/v1/auth/logout"
SERVICE, PLAN = "mentorship-service", "4geeks-plus-subscription"


@dataclass(frozen=True)
class Caller:
    """Who sends; `probe` is answered 200 as long as the credentials are good. What ends them is left to the others."""

    name: str
    probe: str
    headers: dict[str, str]
    without: tuple[str, ...] = ()


def main() -> int:
    demo = json.loads(Path(os.environ["PURSER_DEMO"]).read_text())
    url, tokens = str(demo["api_url"]), demo["tokens"]
    customer = request("POST", f"{url}/_local/customers").body
    bearer = {"Authorization": f"Bearer {customer['bearer']}"}
    things = furnish(url, bearer, int(demo["academy"]["id"]), tokens["ops"])
    callers = (
        Caller("a customer", "/v1/payments/me/invoice", bearer),
        Caller("an operator", "/ops/inbox", {"Authorization": f"Token {tokens['ops']}"}, (LOGOUT,)),
        Caller("nobody", "/health", {}),
    )
    fresh = int(os.environ.get("FUZZ_SEED", secrets.randbelow(2**31)))
    runs = [(caller, FIXED_SEED) for caller in callers] + [(caller, fresh) for caller in callers if caller.headers]
    seconds = int(os.environ.get("FUZZ_SECONDS", SECONDS)) // len(runs)
    failed = [
        f"{caller.name} with FUZZ_SEED={seed}"
        for caller, seed in runs
        if not fuzzed(url, caller, seed=seed, seconds=seconds, things=things)
    ]
    print(f"Something is wrong as {'; '.join(failed)}" if failed else "Found nothing", flush=True)  # noqa: T201
    return 1 if failed else 0


def furnish(url: str, headers: dict[str, str], academy_id: int, operator: str) -> dict[str, list[Any]]:
    """Give the customer a card, a plan, units and a use, and answer what there is by the name of its variable."""

    def must(method: str, path: str, body: Any = None) -> Any:
        reply = request(method, url + path, body=body, headers=headers)
        expect(200 <= reply.status < 300, f"{method} {path} answered {reply.status}: {reply.body}")
        return reply.body

    must("POST", "/v2/payments/card", {**CARD, "academy": academy_id})
    bag = must("PUT", "/v2/payments/checking", {"type": "PREVIEW", "plans": [PLAN]})
    invoice = must("POST", "/v2/payments/pay", {"token": bag["token"], "chosen_period": "MONTH"})
    units = {"service": SERVICE, "how_many": 5, "academy": academy_id}
    bought = must("POST", "/v1/payments/consumable/checkout", units)
    use = must("PUT", f"/v1/payments/me/service/{SERVICE}/consumptionsession/a-use")
    open_bag = must("PUT", "/v2/payments/checking", {"type": "PREVIEW", "plans": ["premium-bootcamp"]})
    as_operator = {"Authorization": f"Token {operator}"}
    events = request("GET", f"{url}/ops/inbox?status=handled&limit=5", headers=as_operator).body["data"]
    return {
        "academy": [academy_id],
        "academy_id": [academy_id],
        "asset": ["docs.css", "docs.js"],
        "bag_id": [open_bag["id"], bought["bag"]["id"]],
        "event_id": [event["id"] for event in events],
        "invoice_id": [invoice["id"], bought["id"]],
        "plan": [PLAN, "premium-bootcamp"],
        "plan_ref": [PLAN, "premium-bootcamp"],
        "service_ref": [SERVICE],
        "service_slug": [SERVICE],
        "session_ref": [str(use["id"]), "a-use"],
        "token": [open_bag["token"]],
        "user_id": [invoice["user"]["id"]],
    }


def fuzzed(url: str, caller: Caller, *, seed: int, seconds: int, things: dict[str, list[Any]]) -> bool:
    """One run of schemathesis as somebody: true where it found nothing; its report is shown where it did."""
    began = time.monotonic()
    phases = "coverage,fuzzing" if seed == FIXED_SEED else "fuzzing"  # the first does not depend on the seed
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--url", url]
    command += ["--checks", ",".join(CHECKS), "--phases", phases, "--no-color", "--continue-on-failure"]
    command += ["--seed", str(seed), "--max-examples", str(EXAMPLES_PER_OPERATION_MAX), "--max-time", str(seconds)]
    command += [word for name, value in caller.headers.items() for word in ("--header", f"{name}: {value}")]
    command += [word for path in caller.without for word in ("--exclude-path", path)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "FUZZ_THINGS": json.dumps(things)}
    with tempfile.TemporaryDirectory() as folder:  # it leaves files where it is started
        environment["PYTHONPATH"] = str(Path.cwd())
        done = subprocess.run(  # noqa: S603
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + OVERTIME_SECONDS,
            check=False,
        )
    cases = re.search(r"(\d+) generated.*", done.stdout)
    tried = re.search(r"Selected: (\d+)/\d+\s+Tested: (\d+)", done.stdout)
    whole = tried is not None and (seed != FIXED_SEED or tried[1] == tried[2])
    said = f"{cases[0] if cases else 'nothing generated'}, operations tried {tried[2] if tried else 0}"
    print(f"{caller.name}, seed {seed}: {said}, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    good = request("GET", url + caller.probe, headers=caller.headers).status == 200
    if done.returncode == 0 and cases is not None and whole and good:
        return True
    print(done.stdout + done.stderr, flush=True)  # noqa: T201
    print(f"credentials still good: {good}; as many operations tried as should be: {whole}", flush=True)  # noqa: T201
    return False


if __name__ == "__main__":
    sys.exit(main())
