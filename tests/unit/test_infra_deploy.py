"""The commands that a person types: parameters, the smoke check, and refusals in one line."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra import deploy


class Answering(BaseHTTPRequestHandler):
    """Answers each GET with the next status of the server's list, and the path that was asked for."""

    def do_GET(self) -> None:  # the library's name
        server = self.server
        assert isinstance(server, Scripted)
        server.paths.append(self.path)
        status = server.statuses.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"slug": "try-again-later"}')

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Scripted(HTTPServer):
    statuses: list[int]
    paths: list[str]


@pytest.fixture
def server() -> Iterator[Scripted]:
    made = Scripted(("127.0.0.1", 0), Answering)
    made.statuses, made.paths = [], []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def smoke(server: Scripted, *statuses: int) -> int:
    server.statuses = list(statuses)
    return deploy.main(["smoke", "--url", f"http://127.0.0.1:{server.server_port}/api/"])


class TestSmoke:
    def test_a_healthy_api_passes(self, server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
        assert smoke(server, 200) == 0
        assert server.paths == ["/api/health"]
        assert "answers 200" in capsys.readouterr().out

    def test_an_api_that_is_just_starting_is_asked_again(self, server: Scripted) -> None:
        assert smoke(server, 503, 500, 200) == 0

    def test_one_that_never_answers_200_fails_with_its_words(
        self, server: Scripted, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert smoke(server, 503, 503, 503) == 1
        assert '503 {"slug": "try-again-later"}' in capsys.readouterr().err

    def test_nobody_there_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert deploy.main(["smoke", "--url", "http://127.0.0.1:1"]) == 1
        assert "refused" in capsys.readouterr().err

    def test_an_address_that_is_none_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert deploy.main(["smoke", "--url", "file:///etc"]) == 1
        assert "no web address" in capsys.readouterr().err


class TestStageParameters:
    def test_they_are_read_from_the_stages_file(self, tmp_path: Path) -> None:
        (tmp_path / ".chalice").mkdir()
        (tmp_path / ".chalice" / "parameters-prod.json").write_text('{"MailFrom": "a@b.example"}')
        assert deploy.stage_parameters(tmp_path, "prod") == {"MailFrom": "a@b.example", "Stage": "prod"}
        assert deploy.stage_parameters(tmp_path, "beta") == {"Stage": "beta"}


class TestWithoutARegion:
    def test_it_says_what_to_set(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        assert deploy.main(["rollback", "--stage", "prod"]) == 1
        assert "AWS_REGION" in capsys.readouterr().err
