"""Strangers whom Asterisk refuses leave a line that fail2ban reads; the carrier leaves none."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk
from tests.live.sip import eventually
from tests.live.strangers import ask_as
from tests.unit.test_ops import FILTER, FORGED, ROOT, banned

STRANGER, CARRIER = "127.0.0.9", "127.0.0.1"


def lines(asterisk: Asterisk) -> list[str]:
    return asterisk.endpoint.log.with_name("security").read_text().splitlines()


def refused(asterisk: Asterisk, call_ids: Sequence[str]) -> list[str]:
    """The lines of these requests, once they are there."""

    def found() -> list[str]:
        events = [line for line in lines(asterisk) if 'SecurityEvent="FailedACL"' in line]
        return [line for line in events if any(call_id in line for call_id in call_ids)]

    assert eventually(lambda: len(found()) >= len(call_ids)), lines(asterisk)[-5:]
    return found()


@pytest.mark.usefixtures("empty")
def test_a_stranger_leaves_a_line_without_a_callers_number_and_the_carrier_leaves_none(
    asterisk: Asterisk,
) -> None:
    call_ids = ["stranger-invite", "stranger-register", "stranger-options"]
    for call_id, method in zip(call_ids, ("INVITE", "REGISTER", "OPTIONS"), strict=True):
        ask_as(STRANGER, asterisk.endpoint.sip, method, call_id)
    ask_as(STRANGER, asterisk.endpoint.sip, "OPTIONS", FORGED)
    ask_as(CARRIER, asterisk.endpoint.sip, "OPTIONS", "carrier-options")
    assert [banned(line) for line in refused(asterisk, call_ids)] == [STRANGER] * 3
    text = "\n".join(lines(asterisk))
    assert "32470998877" not in text
    assert "carrier-options" not in text
    assert {banned(line) for line in lines(asterisk)} == {STRANGER, None}


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("empty")
def test_fail2ban_itself_reads_these_lines(asterisk: Asterisk, tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/fetch-ops.sh"], check=True, timeout=280)
    tree = Path.home() / ".cache/callengine/ops-1/tree"
    ask_as(STRANGER, asterisk.endpoint.sip, "INVITE", "for-fail2ban")
    (tmp_path / "security").write_text("\n".join(refused(asterisk, ["for-fail2ban"])) + "\n")
    files = [tree / "usr/bin/fail2ban-regex", "-c", tree / "etc/fail2ban", tmp_path / "security", FILTER]
    environment = {**os.environ, "PYTHONPATH": str(tree / "usr/lib/python3/dist-packages")}
    done = subprocess.run(
        [sys.executable, *map(str, files)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "1 matched, 0 missed" in done.stdout
