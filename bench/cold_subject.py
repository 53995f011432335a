"""One fresh process of `bench.cold`: does one thing, and says what it had to import. Imports nothing before that."""

import os
import sys


def libraries() -> None:
    import botocore.session
    import chalice  # noqa: F401
    import pydantic  # noqa: F401
    import pynamodb  # noqa: F401

    url = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    botocore.session.get_session().create_client("dynamodb", region_name="us-east-1", endpoint_url=url)


def libraries_in_use() -> None:
    """What every app on these libraries does at least: one model, one read through pynamodb."""
    import chalice  # noqa: F401
    from pydantic import BaseModel, Field
    from pynamodb.connection import Connection

    class Row(BaseModel):
        pk: str = Field(min_length=1)

    connection = Connection(region="us-east-1", host=os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
    key = {"pk": {"S": Row(pk="none").pk}, "sk": {"S": "none"}}
    connection.dispatch("GetItem", {"TableName": os.environ["PURSER_TABLE"], "Key": key})


def answered(method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: str | None) -> int:
    """Import the app and hand one request over, as API Gateway does; the status of its answer."""
    from app import app

    event = {
        "requestContext": {"httpMethod": method, "resourcePath": path, "requestId": "bench"},
        "headers": headers,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    if answer["statusCode"] == 200 and len(answer["body"]) < len('{"received":true}'):
        raise LookupError("the answer is empty")
    return int(answer["statusCode"])


def webhook(*, genuine: bool) -> int:
    import hashlib
    import hmac
    import json
    import time

    about = {"id": "pi_1", "object": "payment_intent"}
    ident = f"evt_cold{os.getpid()}{time.monotonic_ns()}"
    body = json.dumps({"id": ident, "object": "event", "type": "payment_intent.succeeded", "data": {"object": about}})
    at = int(time.time())
    secret = os.environ["PURSER_STRIPE_WEBHOOK_SECRETS"] if genuine else "whsec_of_somebody_else"
    mac = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={mac}"}
    return answered("POST", "/stripe/webhook", {}, headers, body)


def main() -> None:
    kind, academy_id = sys.argv[1:]
    if kind == "libraries":
        libraries()
    elif kind == "in-use":
        libraries_in_use()
    elif kind == "catalog":
        assert answered("GET", "/v1/payments/service", {"academy": [academy_id]}, {}, None) == 200
    elif kind == "refused":
        assert webhook(genuine=False) == 400
    elif kind == "accepted":
        assert webhook(genuine=True) == 200
    print(f'\n{{"modules": {len(sys.modules)}, "stripe": {str("stripe" in sys.modules).lower()}}}', flush=True)
    os._exit(0)  # a function that has started does not end: clearing up is no part of it


if __name__ == "__main__":
    main()
