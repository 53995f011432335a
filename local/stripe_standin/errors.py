"""Stripe's error answers: one exception that carries the status and the body."""

from typing import Any

Json = dict[str, Any]

DOCS_URL = "https://stripe.com/docs/error-codes/"


class Refusal(Exception):  # it is an answer, not a fault of the program
    """What Stripe answers instead of an object.

    `executed` says that work had begun, so that an idempotency key remembers this answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        extra: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        self.error: Json = {"message": message, "type": kind}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = DOCS_URL + code.replace("_", "-")
        if param:
            self.error["param"] = param
        if extra:
            self.error.update(extra)

    def body(self) -> Json:
        return {"error": self.error}


_OWN_PARAMS = {"payment_intent": "intent", "setup_intent": "intent", "payment_method": "payment_method"}


def missing_resource(kind: str, ident: str, *, param: str | None = None, status: int = 404) -> Refusal:
    """The thing itself is unknown (404), or a parameter names something unknown (400)."""
    name = "PaymentMethod" if kind == "payment_method" else kind
    message = f"No such {name}: '{ident}'"
    param = param or _OWN_PARAMS.get(kind, "id")
    return Refusal(status, message, code="resource_missing", param=param)


def unrecognized(method: str, path: str) -> Refusal:
    message = (
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/."
    )
    return Refusal(404, message)


def unauthorized(key: str | None) -> Refusal:
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    else:
        message = f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}"
    return Refusal(401, message)


def rate_limited() -> Refusal:
    message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    return Refusal(429, message, code="rate_limit")


def broken() -> Refusal:
    message = "An unknown error occurred. If this problem persists, let us know at https://support.stripe.com/."
    return Refusal(500, message, kind="api_error")


def key_reused(key: str, *, first_path: str | None = None) -> Refusal:
    """The same idempotency key with other parameters, or (with `first_path`) at another endpoint."""
    if first_path:
        meant = f"for the same endpoint they were first used for ('{first_path}')"
    else:
        meant = "with the same parameters they were first used with"
    message = (
        f"Keys for idempotent requests can only be used {meant}. Try using a key other than '{key}' if you meant "
        "to execute a different request."
    )
    return Refusal(400, message, kind="idempotency_error")


def key_in_use(key: str) -> Refusal:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later."
    )
    return Refusal(409, message, kind="idempotency_error", code="idempotency_key_in_use")
