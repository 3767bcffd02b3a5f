"""The engine's metrics: calls, journal, Asterisk, routing."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dialplan.result import Result
from engine.registrations import Registration, State
from process.metrics import Metrics

# Engine and Asterisk need 3-4 ms from INVITE to the destination's INVITE; an answer takes seconds.
SETUP_BUCKETS = (0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)

# Why a call was not taken: too many calls on the trunk, or to the number; forwarded too often; too many calls
# of its caller ring at the number already; its carrier has as many calls as it may have.
REFUSED = ("trunk", "number", "hops", "loop", "carrier")


class RoutingVersion(Collector):
    """The version in force is a label, the instant since when the value: one series at a time."""

    def __init__(self) -> None:
        self._in_force: Callable[[], tuple[str, datetime | None]] = lambda: ("", None)

    def set_function(self, in_force: Callable[[], tuple[str, datetime | None]]) -> None:
        """Read the digest, and since when it is in force, when it is scraped."""
        self._in_force = in_force

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "callengine_routing_since_seconds",
            "Since when the routing version is in force, by the beginning of its digest (Unix time)",
            labels=["version"],
        )
        digest, since = self._in_force()
        if since is not None:
            family.add_metric([digest[:12]], since.timestamp())
        yield family


class TrunkUp(Collector):
    """A carrier is a label: that of a carrier whose file is removed ends."""

    def __init__(self) -> None:
        self._up: Callable[[], Mapping[str, bool]] = dict

    def set_function(self, up: Callable[[], Mapping[str, bool]]) -> None:
        """Read whether each carrier answers, when it is scraped."""
        self._up = up

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "callengine_trunk_up", "1 while the carrier answers Asterisk's OPTIONS", labels=["trunk"]
        )
        for trunk, is_up in self._up().items():
            family.add_metric([trunk], float(is_up))
        yield family


class RegistrationStates(Collector):
    """A carrier is a label, and the state: one series for each registration."""

    def __init__(self) -> None:
        self._known: Callable[[], Mapping[str, Registration]] = dict

    def set_function(self, known: Callable[[], Mapping[str, Registration]]) -> None:
        """Read each registration when it is scraped."""
        self._known = known

    def collect(self) -> Iterator[GaugeMetricFamily]:
        registered = GaugeMetricFamily(
            "callengine_trunk_registered", "1 while the carrier accepts our registration", labels=["trunk"]
        )
        since = GaugeMetricFamily(
            "callengine_trunk_registration_since_seconds",
            "Since when the registration is in this state (Unix time)",
            labels=["trunk", "state"],
        )
        for trunk, known in self._known().items():
            if known.state is not State.UNKNOWN:
                registered.add_metric([trunk], float(known.state is State.REGISTERED))
            since.add_metric([trunk, known.state.value], known.since.timestamp())
        yield from (registered, since)


class EngineMetrics(Metrics):
    """What the engine reports of calls, journal, Asterisk and routing."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.counter("calls", "Calls that have ended, by outcome of the record", ["outcome"])
        self.calls_from = self.counter("calls_from", "Calls that came in, by their carrier", ["trunk"])
        self.calls_live = self.gauge("calls_live", "Live calls")
        self.setup_seconds = self.histogram(
            "setup_seconds",
            "From the call's arrival until the first leg is `dialled` or `answered`",
            SETUP_BUCKETS,
            ["until"],
        )
        self.refused = self.counter("calls_refused", "Calls that were not taken at all, by reason", ["why"])
        self.journal_lag_seconds = self.gauge("journal_lag_seconds", "Age of the oldest entry not on disk")
        self.journal_degraded = self.gauge("journal_degraded", "1 while the journal cannot be written")
        self.journal_reserve_bytes = self.gauge(
            "journal_reserve_bytes", "Bytes that the journal can still write when the disk is full"
        )
        self.cel_headroom_bytes = self.gauge(
            "cel_headroom_bytes", "Bytes that Asterisk can still append to CEL when the disk is full"
        )
        self.disk_free_bytes = self.gauge(
            "disk_free_bytes", "Bytes free for this folder: state, recordings or cel", ["folder"]
        )
        self.ari_connected = self.gauge("ari_connected", "1 while Asterisk's events arrive")
        self.trunk_up = TrunkUp()
        self.registry.register(self.trunk_up)
        self.registrations = RegistrationStates()
        self.registry.register(self.registrations)
        self.trunks_refused = self.gauge(
            "trunks_refused", "1 while a file of a carrier is wrong and the former carriers are in force"
        )
        self.drained = self.gauge("drained", "1 while new calls go to their fallback: callengine drain")
        self._begin_routing()
        self.calls_unreadable = self.gauge(
            "calls_unreadable",
            "Calls of the engine before that this one could not read, since its start",
        )
        self.clock_steps = self.gauge("clock_steps", "How often the wall clock was set since the start")
        self._begin_series()

    def _begin_routing(self) -> None:
        self.routing_numbers = self.gauge("routing_numbers", "Service numbers in force")
        self.routing_reload_failed = self.gauge(
            "routing_reload_failed",
            "1 while the routing folder has errors and its last good state is in force",
        )
        self.routing_since = RoutingVersion()
        self.registry.register(self.routing_since)
        self.switches_on = self.gauge("switches_on", "Switches that operators have put on")
        self.destinations_left_out = self.gauge(
            "destinations_left_out", "Destinations that could not be reached several times in a row"
        )

    def refused_counts(self) -> dict[str, float]:
        """How many calls were not taken since the start, by reason."""
        (family,) = self.refused.collect()
        return {
            sample.labels["why"]: sample.value for sample in family.samples if sample.name.endswith("_total")
        }

    def _begin_series(self) -> None:
        """Begin them at 0: rate() does not see the first event of a series that begins with it."""
        for outcome in Result:
            self.calls.labels(outcome)
        for why in REFUSED:
            self.refused.labels(why)
        for until in ("dialled", "answered"):
            self.setup_seconds.labels(until)
