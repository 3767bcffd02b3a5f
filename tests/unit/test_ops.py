"""The files of ops/: every metric that they name exists, and every alarm has its paragraph in the guide."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.registry import Collector

from engine.metrics import EngineMetrics
from worker.metrics import WorkerMetrics

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
RULES = OPS / "prometheus/callengine.rules.yaml"
FILTER = OPS / "fail2ban/filter.d/callengine.conf"
LINE = (
    '[Nov 28 09:02:55] SECURITY[30267] res_security_log.c: SecurityEvent="FailedACL",'
    'EventTV="2026-11-28T09:02:55.190+0000",Severity="Error",Service="PJSIP",EventVersion="1",'
    'AccountID="from3",SessionID="{session}",LocalAddress="IPV4/UDP/192.0.2.10/5060",'
    'RemoteAddress="{remote}",ACLName="not_match_endpoint_acl"'
)
FORGED = 'x",LocalAddress="IPV4/UDP/1.2.3.4/1",RemoteAddress="IPV4/UDP/8.8.8.8/5",ACLName="a'


def series() -> set[str]:
    """The names of all series of engine and worker, as Prometheus has them."""
    collectors: list[Collector] = [EngineMetrics().registry, WorkerMetrics().registry]
    names = set()
    for family in (family for one in collectors for family in one.collect()):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(
            family.type, ("",)
        )
        names |= {family.name + suffix for suffix in suffixes}
    return names


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    board = json.loads((OPS / "grafana/callengine.json").read_text("utf-8"))
    of_board = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*of_board, *(rule["expr"] for rule in rules())]


def test_every_metric_of_rules_and_board_is_one_of_engine_or_worker() -> None:
    named = {name for text in expressions() for name in re.findall(r"callengine_[a-z_]+", text)}
    assert len(named) > 20
    assert named <= series()


def test_every_alarm_has_a_severity_a_sentence_and_a_paragraph_in_the_guide() -> None:
    guide = (ROOT / "docs/operating.md").read_text("utf-8")
    paragraphs = set(re.findall(r"^### (\w+)$", guide, re.M))
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/operating.md#{rule['alert'].lower()}"
    assert {rule["alert"] for rule in rules()} == paragraphs


def test_panels_of_the_board_do_not_overlap() -> None:
    board = json.loads((OPS / "grafana/callengine.json").read_text("utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places) > 10


def test_the_board_shows_calls_by_outcome_by_carrier_and_by_the_reason_of_their_refusal() -> None:
    labels = {
        label
        for text in expressions()
        for label in re.findall(r"sum by \((\w+)\) \(rate\(callengine_calls", text)
    }
    assert labels == {"outcome", "trunk", "why"}


def banned(line: str) -> str | None:
    """Whom fail2ban would ban for this line: <HOST> is an address."""
    (expression,) = re.findall(r"^failregex = (.+)$", FILTER.read_text("utf-8"), re.M)
    match = re.search(expression.replace("<HOST>", r"(?P<host>[0-9A-Fa-f:.]+)"), line.partition("]")[2])
    return match["host"] if match else None


@pytest.mark.parametrize(
    ("session", "remote", "host"),
    [
        ("abc", "IPV4/UDP/198.51.100.7/56443", "198.51.100.7"),
        ("abc", "IPV6/TLS/2001:db8::7/56443", "2001:db8::7"),
        (FORGED, "IPV4/UDP/198.51.100.7/56443", None),
    ],
)
def test_a_stranger_is_banned_and_nobody_whom_he_names(session: str, remote: str, host: str | None) -> None:
    assert banned(LINE.format(session=session, remote=remote)) == host


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_promtool_accepts_the_rules_and_their_tests() -> None:
    subprocess.run([ROOT / "scripts/fetch-ops.sh"], check=True, timeout=280)
    promtool = Path.home() / ".cache/callengine/ops-1/tree/usr/bin/promtool"
    subprocess.run([str(promtool), "check", "rules", RULES.name], cwd=RULES.parent, check=True, timeout=60)
    tests = [str(promtool), "test", "rules", "callengine.rules.test.yaml"]
    subprocess.run(tests, cwd=RULES.parent, check=True, timeout=60)
