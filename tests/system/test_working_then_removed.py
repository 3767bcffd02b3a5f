"""The packages purged, last of all: what belongs to owners and callers stays."""

import pytest

from tests.system.guest import Guest

pytestmark = [pytest.mark.timeout(900)]
# Credentials, routing, journal; Asterisk's configuration, and CEL.
KEPT = (
    "/etc/callengine/credentials/master_key",
    "/etc/callengine/routing/owners/acme.yaml",
    "/var/lib/callengine/journal",
    "/etc/asterisk/pjsip.conf",
    "/var/log/asterisk/cel-custom/Master.csv",
)


def test_a_purge_removes_the_program_and_keeps_the_data_unless_it_is_told_to_remove_it(
    production: Guest,
) -> None:
    kept = f"ls -d {' '.join(KEPT)}"
    production.run("apt-get -qq purge callengine callengine-asterisk", seconds=120)
    assert production.run(kept).split() == sorted(KEPT)
    left = production.attempt(
        "ls -d /usr/lib/callengine* /usr/bin/callengine /usr/sbin/asterisk /etc/systemd/system/*/callengine*"
    )
    assert left.stdout == ""
    assert production.run("systemctl --failed --plain --no-legend") == ""
    production.run("cd /srv/packages/now && apt-get -qq install ./*.deb", seconds=120)
    production.run("CALLENGINE_PURGE=data apt-get -qq purge callengine callengine-asterisk", seconds=120)
    assert production.attempt(kept).stdout == ""
