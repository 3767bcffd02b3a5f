"""The product installed by docs/operating.md on a bare Debian 13: it starts, and stays up."""

import json
import re

import pytest

from tests.system.guest import ROOT, Guest
from tests.system.guide import blocks, filled_in
from tests.system.house import NUMBERS, number_file

pytestmark = [pytest.mark.timeout(1800)]
UNITS = ("callengine-asterisk", "callengine-engine", "callengine-worker")
METRICS = "curl -sf http://127.0.0.1:9460/metrics"


def shown(guest: Guest, unit: str, *properties: str) -> dict[str, str]:
    lines = guest.run(f"systemctl show {unit} -p {','.join(properties)}").splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def test_a_bare_debian_boots_with_its_own_systemd(guest: Guest) -> None:
    assert guest.run(". /etc/os-release; echo $VERSION_CODENAME $(ps -p 1 -o comm=)") == "trixie systemd\n"
    assert guest.run("systemctl --failed --plain --no-legend") == ""
    assert guest.attempt("command -v asterisk python3.13 psql").stdout == ""


def test_the_program_is_where_every_login_finds_it(installed: Guest) -> None:
    version = re.search('^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert installed.run("callengine --version") == f"callengine {version[1]}\n"
    assert installed.run("callengine --version", user="nobody") == f"callengine {version[1]}\n"
    assert installed.attempt("callengine dev --help").returncode == 2, (
        "nothing embedded on a host in production"
    )
    assert installed.run("zcat /usr/share/man/man1/callengine-calls.1.gz | grep -c SYNOPSIS") == "1\n"
    assert "_callengine_completion" in installed.run("cat /usr/share/bash-completion/completions/callengine")


def test_no_unit_runs_before_it_is_enabled(installed: Guest) -> None:
    for unit in UNITS:
        assert shown(installed, unit, "ActiveState", "UnitFileState") == {
            "ActiveState": "inactive",
            "UnitFileState": "disabled",
        }


def test_passwords_are_for_root_alone_and_commands_of_root_have_them(installed: Guest) -> None:
    assert "master_key = ********" in installed.run("callengine settings")
    refused = installed.attempt("callengine settings", user="nobody")
    assert "master_key = (not set)" in refused.stdout
    assert "run this as root" in refused.stderr
    assert installed.attempt("cat /etc/callengine/credentials/*", user="callengine").returncode != 0


def test_asterisk_runs_beside_the_systems_libraries_as_a_user_of_its_own(with_asterisk: Guest) -> None:
    unit = shown(with_asterisk, "callengine-asterisk", "MainPID", "ActiveState")
    assert unit["ActiveState"] == "active"
    assert with_asterisk.run(f"ps -p {unit['MainPID']} -o user=") == "asterisk\n"
    assert re.search("^Asterisk 22[.]", with_asterisk.run("asterisk -rx 'core show version'"), re.M)
    libc = with_asterisk.run("dpkg-query --show --showformat '${Version}' libc6")
    assert libc.startswith("2.41-"), "Debian 13's own"
    files = with_asterisk.run("stat -c '%U:%G %a' /etc/asterisk/*.conf | sort -u").splitlines()
    assert files == ["root:asterisk 640"]


def test_it_goes_first_on_a_busy_host(with_asterisk: Guest) -> None:
    pid = shown(with_asterisk, "callengine-asterisk", "MainPID")["MainPID"]
    assert "SCHED_RR" in with_asterisk.run(f"chrt --pid {pid}")


def test_the_database_has_three_roles_and_each_command_of_root_the_one_it_needs(production: Guest) -> None:
    assert production.run("callengine calls --format json | jq length") == "0\n"
    assert "no findings" in production.run("callengine audit")
    (migrate,) = blocks("Database")
    assert "up to date" in production.run(filled_in(migrate, {}))
    refused = production.attempt("callengine migrate")
    assert "needs the schema's owner" in refused.stderr


async def test_engine_and_worker_are_ready_and_warn_of_nothing(production: Guest) -> None:
    for port in (9460, 9461):
        answer = await production.until(f"curl -sf http://127.0.0.1:{port}/ready")
        told = json.loads(answer)
        assert (told["ready"], told["reasons"], told["warnings"]) == (True, [], [])


def test_the_logs_are_read_as_the_guide_says_with_priorities_and_foreign_lines_among_them(
    production: Guest,
) -> None:
    production.run("systemd-cat --identifier=callengine-engine echo 'no JSON at all'")
    looks = blocks("Starting and monitoring")[0].text.splitlines()
    for line in (line for line in looks if line.startswith(("curl", "journalctl"))):
        production.run(line)
    told = production.run("journalctl -u callengine-engine -o json").splitlines()
    lines = [json.loads(line) for line in told]
    own = [it for it in lines if it["MESSAGE"].startswith("{")]
    assert own
    level_of = {"6": "info", "4": "warning", "3": "error"}
    assert [it for it in own if level_of.get(it["PRIORITY"]) != json.loads(it["MESSAGE"])["level"]] == []
    assert {it["SYSLOG_IDENTIFIER"] for it in own} == {"callengine-engine"}


async def test_a_routing_folder_that_is_replaced_goes_into_force_and_so_does_the_next_change(
    production: Guest,
) -> None:
    folder = "/etc/callengine/routing"
    production.run(f"cp -a {folder} {folder}.new")
    production.write(f"{folder}.new/numbers/n3280000008.yaml", number_file("+3280000008"))
    production.run(f"callengine check {folder}.new && mv {folder} {folder}.old && mv {folder}.new {folder}")
    await production.until(f"{METRICS} | grep -x 'callengine_routing_numbers {len(NUMBERS) + 1}.0'")
    production.write(f"{folder}/numbers/n3280000009.yaml", number_file("+3280000009"))
    await production.until(f"{METRICS} | grep -x 'callengine_routing_numbers {len(NUMBERS) + 2}.0'")
