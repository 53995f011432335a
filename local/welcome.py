"""What `make run` prints when everything is up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from local.people import People

WIDTH = 78


@dataclass(frozen=True, slots=True)
class Welcome:
    """`stripe_url` None: Stripe itself. `data_dir` None: nothing is kept."""

    api_url: str
    stripe_url: str | None
    dynamodb_url: str
    people: People = field(repr=False)
    demo_file: Path
    data_dir: Path | None


def welcome(said: Welcome) -> str:
    return "\n\n".join([_addresses(said), _tokens(said), _commands(said), _state(said)]) + "\n"


def _addresses(said: Welcome) -> str:
    stripe = f"{said.stripe_url}  (a stand-in: no account, no money)" if said.stripe_url else "Stripe itself, test mode"
    return "\n".join(
        [
            "=" * WIDTH,
            f"Purser is up at  {said.api_url}",
            "=" * WIDTH,
            f"  documentation  {said.api_url}/docs",
            f"  Stripe         {stripe}",
            f"  DynamoDB       {said.dynamodb_url}",
            f"  clock          {said.api_url}/_local/clock  (POST advance_seconds to move it)",
            f"  mails          {said.api_url}/_local/mails",
        ]
    )


def _tokens(said: Welcome) -> str:
    tokens = said.people.tokens
    academy = said.people.academies[0]
    return "\n".join(
        [
            f"Academy {academy.id} is {academy.name}. Who may call, and how:",
            f"  a customer     Authorization: Token {tokens['student']}",
            f"  its staff      Authorization: Token {tokens['staff']}",
            f"  an operator    Authorization: Token {tokens['ops']}",
            f"  a studio       X-Api-Key: {tokens['studio']}",
            f"  all of them    {said.demo_file}",
        ]
    )


def _commands(said: Welcome) -> str:
    """Three lines for a shell: the second one keeps the bag's token for the third."""
    url, academy_id = said.api_url, said.people.academies[0].id
    sent = f"-H 'Authorization: Token {said.people.tokens['student']}' -H 'Content-Type: application/json'"
    card = f'{{"card_number":"4242424242424242","exp_month":"10","exp_year":"30","cvc":"435","academy":{academy_id}}}'
    plan = '{"type":"PREVIEW","plans":["4geeks-plus-subscription"],"country_code":"US"}'
    pick = """sed -n 's/.*"token":"\\([0-9a-f]*\\)".*/\\1/p'"""
    paid = '{"token":"\'$BAG\'","chosen_period":"YEAR","country_code":"US"}'
    return "\n".join(
        [
            "Buy something: save a card, check the price, pay.",
            "",
            f"curl -s -X POST {url}/v2/payments/card {sent} -d '{card}'; echo",
            "",
            f"BAG=$(curl -s -X PUT {url}/v2/payments/checking {sent} -d '{plan}' | tee /dev/stderr | {pick}); echo",
            "",
            f"curl -s -X POST {url}/v2/payments/pay {sent} -d '{paid}'; echo",
        ]
    )


def _state(said: Welcome) -> str:
    kept = (
        "Everything lives until you stop it (DATA=some-folder keeps it)."
        if said.data_dir is None
        else f"Everything is kept in {said.data_dir} when you stop it."
    )
    forward = (
        ""
        if said.stripe_url
        else f"\nWebhooks come by  stripe listen --forward-to {said.api_url}/stripe/webhook\n"
        "The clock moves this machine only: Stripe keeps its own time."
    )
    return f"{kept} Ctrl-C stops it.{forward}\n" + "-" * WIDTH
