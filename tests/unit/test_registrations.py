"""The state of our registrations at carriers, as Asterisk's own metrics report it."""

from structlog.testing import capture_logs

from config.trunk import Transport, Trunk
from engine.ari.errors import Unavailable
from engine.metrics import EngineMetrics
from engine.registrations import Registrations

LINE = (
    'asterisk_pjsip_outbound_registration_status{{eid="aa",username="sip:4711@sip.beta.example;transport=tls",'
    'domain="sip:sip.beta.example;transport=tls",channel_type="PJSIP"}} {}\n'
)
BETA = Trunk(host="sip.beta.example", transport=Transport.TLS, user="4711", registration=True)


class FakeAsterisk:
    """`text`: its metrics; None: it is away."""

    def __init__(self, text: str | None = "") -> None:
        self.text, self.asked = text, 0

    async def metrics(self) -> str:
        self.asked += 1
        if self.text is None:
            raise Unavailable(0, "away")
        return self.text


async def test_each_change_of_state_is_logged_once_and_a_rejection_is_a_warning_on_ready() -> None:
    asterisk = FakeAsterisk()
    seen = Registrations(lambda: {"beta": BETA, "gamma": Trunk(host="c")}, asterisk)
    with capture_logs() as logs:
        for text in ("", LINE.format(1), LINE.format(1), None, LINE.format(2), LINE.format(2)):
            asterisk.text = text
            await seen.look()
    assert [(line["event"], line["trunk"]) for line in logs] == [
        ("trunk_registered", "beta"),
        ("trunk_not_registered", "beta"),
    ]
    assert seen.facts["beta"]["state"] == "rejected"
    assert seen.warnings[0].startswith("trunk beta is not registered (rejected) since 20")


async def test_while_asterisk_is_away_the_last_state_stays_and_before_the_first_it_is_unknown() -> None:
    asterisk = FakeAsterisk(None)
    seen = Registrations(lambda: {"beta": BETA}, asterisk)
    await seen.look()
    assert (seen.facts["beta"]["state"], seen.warnings) == ("unknown", [])
    asterisk.text = LINE.format(1)
    await seen.look()
    since = seen.known["beta"].since
    asterisk.text = None
    await seen.look()
    assert (seen.facts["beta"]["state"], seen.known["beta"].since) == ("registered", since)


async def test_nobody_is_asked_without_a_registration_and_one_that_ends_is_forgotten() -> None:
    trunks, asterisk = {"beta": BETA}, FakeAsterisk(LINE.format(1))
    seen = Registrations(lambda: trunks, asterisk)
    await seen.look()
    del trunks["beta"]
    await seen.look()
    assert (asterisk.asked, seen.known) == (1, {})


async def test_the_metric_is_1_while_registered_and_the_other_has_state_and_instant() -> None:
    metrics, asterisk = EngineMetrics(), FakeAsterisk(LINE.format(0))
    seen = Registrations(lambda: {"beta": BETA}, asterisk)
    metrics.registrations.set_function(lambda: seen.known)
    await seen.look()
    value = metrics.registry.get_sample_value
    assert value("callengine_trunk_registered", {"trunk": "beta"}) == 0
    labels = {"trunk": "beta", "state": "unregistered"}
    since = seen.known["beta"].since.timestamp()
    assert value("callengine_trunk_registration_since_seconds", labels) == since
