"""From the settings to the transport of a mail."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config.mail import Mail
from config.settings import Settings, SettingsError
from mailer.mail_settings import mail_sender_of, return_addresses_of, terms_of, transport_of
from mailer.post import Direct
from mailer.return_address import ReturnAddresses
from mailer.smtp import Login, Server
from storage.key_wrapper import new_master_key
from worker.mail import MailJobs
from worker.metrics import WorkerMetrics

MESSAGE = "018f0000-0000-7000-8000-00001a2b3c4d-vm1"


async def fetch(_con: object, _audio_id: str) -> bytes:
    return b""


def posting(**mail: object) -> MailJobs:
    settings = Settings.model_construct(node="here", mail=Mail(**mail))
    return MailJobs(settings, WorkerMetrics(), fetch, lambda: None)


async def test_a_smarthost_gets_all_mail() -> None:
    mail = Mail(smarthost="smtp.provider.example", port=587, user="engine", password=SecretStr("s3cret"))
    login = Login("engine", SecretStr("s3cret"))
    assert await transport_of(mail).to("acme.example") == [Server("smtp.provider.example", 587, login)]


async def test_port_465_speaks_tls_at_once() -> None:
    (server,) = await transport_of(Mail(smarthost="smtp.provider.example", port=465)).to("acme.example")
    assert server.implicit


def test_without_one_mail_goes_directly() -> None:
    assert isinstance(transport_of(Mail()), Direct)


def test_a_lease_is_longer_than_an_attempt() -> None:
    terms = terms_of(Settings.model_construct(node="here", mail=Mail()))
    assert (terms.lease, terms.window, terms.smarthost) == (timedelta(minutes=20), timedelta(days=1), None)


def test_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(SettingsError, match=rf"mail\.authorities: .*{name}"):
            mail_sender_of(
                Mail(sender="voicemail@provider.example", authorities=tmp_path / name), ReturnAddresses([b""])
            )


def signed(*master_keys: str) -> ReturnAddresses:
    return return_addresses_of(
        Settings.model_construct(node="here", master_key=SecretStr(", ".join(master_keys)))
    )


def test_workers_with_one_master_key_know_each_other_s_return_addresses() -> None:
    key, other = new_master_key(), new_master_key()
    address = signed(key).make(MESSAGE, "office@acme.example", "provider.example")
    assert signed(key).read(address)
    assert signed(other).read(address) is None


def test_a_replaced_master_key_still_checks_the_addresses_that_it_signed() -> None:
    key, newer = new_master_key(), new_master_key()
    address = signed(key).make(MESSAGE, "office@acme.example", "provider.example")
    assert signed(newer, key).read(address)
    assert signed(newer).read(address) is None


def test_without_a_master_key_nobody_can_sign_an_address() -> None:
    address = signed().make(MESSAGE, "office@acme.example", "provider.example")
    assert signed().read(address) is None, "each worker has a key of its own then"


def test_a_master_key_that_is_not_one_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^master_key: a master key is 32 bytes"):
        signed("secret")


def test_without_a_sender_nothing_is_mailed_and_that_is_no_trouble_while_nothing_waits() -> None:
    idle = posting()
    assert [job.name for job in idle.jobs] == ["count mail"]
    assert idle.troubles == []


def test_with_a_sender_and_a_port_mail_goes_and_comes_back() -> None:
    busy = posting(sender="voicemail@provider.example", bounces_port=2525)
    assert [job.name for job in busy.jobs] == ["count mail", "mail", "owner notices", "reports"]


@pytest.mark.parametrize(
    ("written", "trusted"),
    [
        ("192.0.2.25, 2001:db8::/64", {ip_network("192.0.2.25/32"), ip_network("2001:db8::/64")}),
        (["192.0.2.0/24"], {ip_network("192.0.2.0/24")}),
        ([], frozenset()),
        ("[]", frozenset()),
    ],
)
def test_trusted_relays_are_addresses_and_networks(written: object, trusted: object) -> None:
    assert Mail.model_validate({"bounces_trusted": written}).bounces_trusted == trusted
    assert Mail().bounces_trusted is None, "which means: those of the smarthost"


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
        {"bounces_trusted": ["smtp.provider.example"]},
        {"bounces_trusted": ["192.0.2.25/24"]},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Mail.model_validate(wrong)
