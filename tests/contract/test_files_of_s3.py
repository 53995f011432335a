"""Files on an emulated S3: kept, fetched by their link and nothing else, and what failing means."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.adapters.files.s3 import S3Files
from chalicelib.flows.statement.ports import Files
from chalicelib.kernel.errors import TryLater
from local.ministack import Ministack
from local.ports import free_port
from local.resources import FILES_BUCKET, make_resources
from tests.identity_calls import settings
from tests.services import REGION


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of our own: it checks a link's signature by the keys that were in the environment when it started."""
    running = Ministack(log_file=tmp_path_factory.mktemp("s3") / "ministack.log")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "files")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-files")
        running.start()
        yield running.url
        running.stop()


@pytest.fixture
def files(s3: str) -> S3Files:
    for _ in range(2):  # as at the first start and at the next one, with what was kept
        made = make_resources(region=REGION, endpoint_url=s3, mail_from="tests@example.com")
    assert made.files_bucket == FILES_BUCKET
    return S3Files(settings().model_copy(update={"s3_url": s3, "files_bucket": FILES_BUCKET}))


def fetched(url: str) -> tuple[bytes, str, str]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return answer.read(), answer.headers["Content-Type"], answer.headers["Content-Disposition"]


class TestKeeping:
    def test_is_fetched_by_the_link(self, files: S3Files) -> None:
        port: Files = files
        name = f"statements/7/{uuid.uuid4().hex}.csv"
        url = port.keep(name, "é,1\r\n".encode(), media_type="text/csv", link_seconds=600)
        disposition = f'attachment; filename="{name.rpartition("/")[2]}"'
        assert fetched(url) == ("é,1\r\n".encode(), "text/csv", disposition)
        assert urlsplit(url).path == f"/{FILES_BUCKET}/{name}"

    def test_signs_the_link_for_so_long(self, files: S3Files) -> None:
        query = parse_qs(urlsplit(files.keep("statements/7/a", b"1", media_type="text/csv", link_seconds=600)).query)
        assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["600"], ["AWS4-HMAC-SHA256"])
        assert len(query["X-Amz-Signature"][0]) == 64

    @pytest.mark.parametrize("other", ["statements/8/a", "statements/7/b"])
    def test_opens_nothing_else(self, files: S3Files, other: str) -> None:
        files.keep(other, b"of somebody else", media_type="text/csv", link_seconds=600)
        url = files.keep("statements/7/a", b"1", media_type="text/csv", link_seconds=600)
        for wrong in (url.replace("statements/7/a", other), url.replace("X-Amz-Expires=600", "X-Amz-Expires=6000")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                fetched(wrong)
            assert refused.value.code == 403
            refused.value.close()

    def test_again_replaces_what_was_kept(self, files: S3Files) -> None:
        for body in (b"1", b"2"):
            url = files.keep("statements/7/b", body, media_type="text/csv", link_seconds=600)
        assert fetched(url)[0] == b"2"

    @pytest.mark.parametrize("broken", ["bucket", "network"])
    def test_that_fails_can_be_tried_later_and_names_nobody(
        self, files: S3Files, caplog: pytest.LogCaptureFixture, broken: str
    ) -> None:
        changes = {
            "bucket": {"files_bucket": "no-such-bucket"},
            "network": {"s3_url": f"http://127.0.0.1:{free_port()}"},
        }
        failing = S3Files(files._settings.model_copy(update=changes[broken]))
        with caplog.at_level(logging.WARNING), pytest.raises(TryLater):
            failing.keep("statements/7/c", b"1", media_type="text/csv", link_seconds=600)
        (record,) = caplog.records
        assert record.__dict__["fields"]["cause"] in ("NoSuchBucket", "EndpointConnectionError")
        assert "statements/7" not in caplog.text


class TestAtAws:
    def test_a_link_names_the_region_so_that_no_redirect_breaks_its_signature(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        there = S3Files(
            settings().model_copy(update={"s3_url": None, "region": "eu-west-1", "files_bucket": "a-bucket"})
        )
        where = {"Bucket": "a-bucket", "Key": "statements/7/a.json"}
        url = there._client.generate_presigned_url("get_object", Params=where, ExpiresIn=600)
        assert url.startswith("https://a-bucket.s3.eu-west-1.amazonaws.com/statements/7/a.json?X-Amz-Algorithm=")
