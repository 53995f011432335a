"""Secrets, nudges and mails over the wire of a small stand-in: what is sent, and what each refusal becomes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib.adapters import secrets as secrets_adapter
from chalicelib.adapters.mail import ses
from chalicelib.adapters.mail.ses import SesMailer
from chalicelib.adapters.queue import sqs
from chalicelib.adapters.queue.sqs import SqsQueue
from chalicelib.adapters.secrets import SecretNotEncrypted, SecretsUnreadable, read_secrets
from chalicelib.books.outbox.port import Mail, Mailer, MailRefused
from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Queue
from chalicelib.kernel.errors import TryLater
from tests.identity_calls import settings

MAIL = Mail(to="ada@example.com", subject="Your seat", text="Sit down: s3cret-link", html="<p>Sit down</p>")


@dataclass
class Aws:
    """Answers what it is told, one a request; the last one for ever. None closes the connection without a word."""

    url: str = ""
    answers: list[tuple[int, dict[str, Any]] | None] = field(default_factory=lambda: [(200, {})])
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    told = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            told.requests.append((self.headers.get("x-amz-target") or self.path, json.loads(raw)))
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if answer is None:
                self.close_connection = True
                return
            status, body = answer
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(text)))
            if "__type" in body:
                self.send_header("x-amzn-errortype", body["__type"])
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", told.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def an_error(code: str, status: int = 400) -> tuple[int, dict[str, Any]]:
    return status, {"__type": code, "message": f"{code} about ada@example.com"}


class TestSecrets:
    def test_are_read_decrypted_to_the_last_page_by_the_last_part_of_their_names(self, aws: Aws) -> None:
        aws.answers = [
            (200, {"Parameters": [_parameter("jwt_secret", "one")], "NextToken": "next"}),
            (200, {"Parameters": [_parameter("stripe_secret_key", "two")]}),
        ]
        found = read_secrets("/purser/test/", "us-east-1")
        assert found == {"jwt_secret": "one", "stripe_secret_key": "two"}
        first, second = (request for _, request in aws.requests)
        assert (first["Path"], first["WithDecryption"]) == ("/purser/test/", True)
        assert "NextToken" not in first
        assert second["NextToken"] == "next"

    def test_that_are_kept_as_plain_text_stop_the_process(self, aws: Aws) -> None:
        aws.answers = [(200, {"Parameters": [{**_parameter("jwt_secret", "plain"), "Type": "String"}]})]
        with pytest.raises(SecretNotEncrypted, match="jwt_secret is a String") as refused:
            read_secrets("/purser/test/", "us-east-1")
        assert "plain" not in str(refused.value)

    def test_that_have_no_end_are_not_read_for_ever(self, aws: Aws) -> None:
        aws.answers = [(200, {"Parameters": [], "NextToken": "again"})]
        with pytest.raises(SecretsUnreadable):
            read_secrets("/", "us-east-1")
        assert len(aws.requests) == secrets_adapter.PAGES_MAX

    def test_that_may_not_be_read_stop_the_process(self, aws: Aws) -> None:
        aws.answers = [an_error("AccessDeniedException")]
        with pytest.raises(Exception, match="AccessDenied"):
            read_secrets("/purser/test/", "us-east-1")

    def test_wait_no_longer_than_a_cold_start_can(self) -> None:
        assert secrets_adapter.CONNECT_TIMEOUT_SECONDS + secrets_adapter.READ_TIMEOUT_SECONDS <= 10


class TestNudges:
    @pytest.fixture
    def queue(self, aws: Aws) -> SqsQueue:
        urls = {f"{name}_queue_url": f"{aws.url}/1/{name}" for name in ("inbox", "outbox", "holdings")}
        return SqsQueue(settings().model_copy(update={"sqs_url": aws.url, **urls}))

    def test_name_what_waits_and_go_to_its_queue(self, aws: Aws, queue: SqsQueue) -> None:
        port: Queue = queue
        port.nudge_inbox("evt_1")
        port.nudge_outbox("msg_1")
        sent = [(request["QueueUrl"], json.loads(request["MessageBody"])) for _, request in aws.requests]
        assert sent == [
            (f"{aws.url}/1/inbox", {"event_id": "evt_1"}),
            (f"{aws.url}/1/outbox", {"message_id": "msg_1"}),
        ]
        assert queue.lost == 0

    def test_of_holdings_go_ten_in_a_call_in_their_order(self, aws: Aws, queue: SqsQueue) -> None:
        keys = [Key(f"USER#{number}", f"SUB#{number}") for number in range(21)]
        queue.nudge_holdings(keys)
        queue.nudge_holdings([])
        sent = [request for _, request in aws.requests]
        assert [len(request["Entries"]) for request in sent] == [10, 10, 1]
        assert {request["QueueUrl"] for request in sent} == {f"{aws.url}/1/holdings"}
        bodies = [json.loads(entry["MessageBody"]) for request in sent for entry in request["Entries"]]
        assert bodies == [{"pk": key.pk, "sk": key.sk} for key in keys]
        assert all(len({entry["Id"] for entry in request["Entries"]}) == len(request["Entries"]) for request in sent)
        assert queue.lost == 0

    def test_of_holdings_that_are_lost_are_logged_one_by_one_and_never_raise(
        self, aws: Aws, queue: SqsQueue, caplog: pytest.LogCaptureFixture
    ) -> None:
        failed = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "to ada@example.com"}
        aws.answers = [(200, {"Successful": [], "Failed": [failed]}), an_error("AccessDenied", 403)]
        queue.nudge_holdings([Key("USER#1", f"SUB#{number}") for number in range(12)])
        lost = [record.__dict__["fields"] for record in caplog.records]
        assert [(one["nudge"]["sk"], one["cause"]) for one in lost] == [
            ("SUB#1", "InternalError"),
            ("SUB#10", "AccessDenied"),
            ("SUB#11", "AccessDenied"),
        ]
        assert queue.lost == 3
        assert "ada@example.com" not in caplog.text + str(lost)

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (an_error("AccessDenied", 403), "AccessDenied"),
            (an_error("QueueDoesNotExist"), "QueueDoesNotExist"),
            (an_error("InternalFailure", 500), "InternalFailure"),
            (None, "ConnectionClosedError"),
        ],
    )
    def test_that_are_lost_are_logged_and_counted_and_never_raise(
        self,
        aws: Aws,
        queue: SqsQueue,
        caplog: pytest.LogCaptureFixture,
        answer: tuple[int, dict[str, Any]] | None,
        cause: str,
    ) -> None:
        aws.answers = [answer]
        queue.nudge_inbox("evt_1")
        queue.nudge_inbox("evt_2")
        assert queue.lost == 2
        first, second = (record.__dict__["fields"] for record in caplog.records)
        assert first == {"nudge": {"event_id": "evt_1"}, "cause": cause, "lost": 1}
        assert second["lost"] == 2
        assert "ada@example.com" not in caplog.text + str(first)

    def test_that_nobody_listens_to_are_lost_too(self, queue: SqsQueue, monkeypatch: pytest.MonkeyPatch) -> None:
        queue._settings = queue._settings.model_copy(update={"sqs_url": "http://127.0.0.1:9"})
        queue.nudge_outbox("msg_1")
        assert queue.lost == 1

    def test_take_a_small_part_of_a_request_at_worst(self) -> None:
        assert (sqs.CONNECT_TIMEOUT_SECONDS + sqs.READ_TIMEOUT_SECONDS) * sqs.ATTEMPTS_MAX <= 5


class TestMails:
    @pytest.fixture
    def mailer(self, aws: Aws) -> Mailer:
        return SesMailer(settings().model_copy(update={"ses_url": aws.url}))

    def test_are_handed_over_whole_with_the_id_of_their_message(self, aws: Aws, mailer: Mailer) -> None:
        aws.answers = [(200, {"MessageId": "1"})]
        mailer.send(MAIL, message_id="msg_1")
        ((path, request),) = aws.requests
        assert path == "/v2/email/outbound-emails"
        assert request["FromEmailAddress"] == "billing@example.com"
        assert request["Destination"] == {"ToAddresses": ["ada@example.com"]}
        content = request["Content"]["Simple"]
        assert content["Subject"]["Data"] == "Your seat"
        assert content["Body"]["Text"]["Data"] == MAIL.text
        assert content["Body"]["Html"]["Data"] == MAIL.html
        assert content["Headers"] == [{"Name": "X-Purser-Message", "Value": "msg_1"}]

    @pytest.mark.parametrize("code", sorted(ses.PERMANENT_CODES))
    def test_that_will_never_be_taken_are_refused(self, aws: Aws, mailer: Mailer, code: str) -> None:
        aws.answers = [an_error(code)]
        with pytest.raises(MailRefused, match=code):
            mailer.send(MAIL, message_id="msg_1")
        assert len(aws.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            an_error("TooManyRequestsException", 429),
            an_error("LimitExceededException"),
            an_error("SendingPausedException"),
            an_error("AccountSuspendedException"),
            an_error("MailFromDomainNotVerifiedException"),
            an_error("InternalServiceErrorException", 500),
            (400, {"__type": "MessageRejected", "message": "Email address is not verified."}),
            None,
        ],
        ids=str,
    )
    def test_that_may_be_taken_later_are_tried_later(
        self, aws: Aws, mailer: Mailer, answer: tuple[int, dict[str, Any]] | None
    ) -> None:
        aws.answers = [answer]
        with pytest.raises(TryLater):
            mailer.send(MAIL, message_id="msg_1")
        assert len(aws.requests) <= ses.ATTEMPTS_MAX

    @pytest.mark.parametrize("answer", [an_error("MessageRejected"), an_error("SendingPausedException"), None], ids=str)
    def test_leave_neither_address_nor_content_in_the_log(
        self,
        aws: Aws,
        mailer: Mailer,
        caplog: pytest.LogCaptureFixture,
        answer: tuple[int, dict[str, Any]] | None,
    ) -> None:
        aws.answers = [answer]
        with caplog.at_level(logging.INFO), pytest.raises((MailRefused, TryLater)):
            mailer.send(MAIL, message_id="msg_1")
        ours = [record for record in caplog.records if record.name == ses.__name__]
        assert ours[0].__dict__["fields"]["message_id"] == "msg_1"
        logged = caplog.text + str([record.__dict__ for record in ours])
        for secret in ("ada@example.com", "s3cret-link", "Your seat"):
            assert secret not in logged
        assert "ada@example.com" not in repr(MAIL)


def _parameter(name: str, value: str) -> dict[str, str]:
    return {"Name": f"/purser/test/{name}", "Value": value, "Type": "SecureString"}
