"""From the settings to the road a mail takes."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config.mail import Mail
from config.settings import Settings, SettingsError
from mailer.post import Direct
from mailer.smtp import Login, Server
from worker.messages import Posting, postman_of, road_of, terms_of
from worker.metrics import WorkerMetrics


async def fetch(_con: object, _audio_id: str) -> bytes:
    return b""


def posting(**mail: object) -> Posting:
    settings = Settings.model_construct(node="here", mail=Mail(**mail))
    return Posting(settings, WorkerMetrics(), fetch, lambda: None)


async def test_a_smarthost_gets_all_mail() -> None:
    mail = Mail(smarthost="smtp.provider.example", port=587, user="engine", password=SecretStr("s3cret"))
    login = Login("engine", SecretStr("s3cret"))
    assert await road_of(mail).to("acme.example") == [Server("smtp.provider.example", 587, login)]


async def test_port_465_speaks_tls_at_once() -> None:
    (server,) = await road_of(Mail(smarthost="smtp.provider.example", port=465)).to("acme.example")
    assert server.implicit


def test_without_one_mail_goes_directly() -> None:
    assert isinstance(road_of(Mail()), Direct)


def test_a_lease_is_longer_than_an_attempt() -> None:
    terms = terms_of(Settings.model_construct(node="here", mail=Mail()))
    assert (terms.lease, terms.window, terms.smarthost) == (timedelta(minutes=20), timedelta(days=1), None)


def test_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(SettingsError, match=rf"mail\.authorities: .*{name}"):
            postman_of(Mail(sender="voicemail@provider.example", authorities=tmp_path / name))


def test_without_a_sender_nothing_is_mailed_and_that_is_no_trouble_while_nothing_waits() -> None:
    idle = posting()
    assert [chore.name for chore in idle.chores] == ["count mail"]
    assert idle.troubles == []


def test_with_a_sender_and_a_port_mail_goes_and_comes_back() -> None:
    busy = posting(sender="voicemail@provider.example", bounces_port=2525)
    assert [chore.name for chore in busy.chores] == ["count mail", "mail", "reports"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "provider.example"},
        {"sender": "a@b.example\r\nBcc: c@d.example"},
        {"sender_name": "two\nlines"},
        {"smarthost": "smtp.provider.example:25"},
        {"user": "engine"},
        {"require_tls": ["@acme.example"]},
        {"bounces_port": 99999},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Mail.model_validate(wrong)
