"""What a quickstart does to the host: psql, lay-out.sh, systemctl."""

import subprocess
from dataclasses import asdict
from pathlib import Path

from cli.quickstart.wish import Passwords, QuickstartError

LAY_OUT = Path("/usr/share/callengine/asterisk/lay-out.sh")
UNITS = ("callengine-asterisk", "callengine-engine", "callengine-worker", "callengine-audit.timer")
SECONDS = 120

# As in docs/operating.md, Database.
CREATE = """
CREATE ROLE callengine_owner LOGIN PASSWORD '{owner}';
CREATE ROLE callengine_worker LOGIN PASSWORD '{worker}';
CREATE ROLE callengine_portal LOGIN PASSWORD '{portal}';
CREATE ROLE callengine_reader LOGIN PASSWORD '{reader}';
CREATE DATABASE callengine OWNER callengine_owner;
REVOKE ALL ON DATABASE callengine FROM PUBLIC;
GRANT CONNECT ON DATABASE callengine TO callengine_worker, callengine_reader, callengine_portal;
ALTER SYSTEM SET wal_recycle = off;
ALTER SYSTEM SET log_parameter_max_length = 0;
SELECT pg_reload_conf();
\\connect callengine
GRANT EXECUTE ON FUNCTION pg_switch_wal(), pg_ls_waldir() TO callengine_worker;
"""
DROP = """
DROP DATABASE IF EXISTS callengine WITH (FORCE);
DROP ROLE IF EXISTS callengine_owner, callengine_worker, callengine_reader, callengine_portal;
ALTER SYSTEM RESET wal_recycle;
ALTER SYSTEM RESET log_parameter_max_length;
SELECT pg_reload_conf();
"""
EXISTS = """
SELECT datname FROM pg_database WHERE datname = 'callengine'
UNION SELECT rolname FROM pg_roles WHERE rolname LIKE 'callengine\\_%'
"""
CALLS = "SELECT count(*) FROM call WHERE number <> '{number}'"


def refuse_existing_database() -> None:
    """Raise QuickstartError if the database or a role exists: --undo would remove it."""
    if existing := psql(EXISTS).split():
        what = f"PostgreSQL has {', '.join(existing)} already"
        raise QuickstartError(f"{what}: remove them, or give the owner's URL by --database")


def create_database(passwords: Passwords) -> None:
    psql(CREATE.format_map(asdict(passwords)))


def drop_database() -> None:
    psql(DROP)


def other_calls(number: str) -> int:
    """How many calls to other numbers than this one are recorded."""
    return int(psql(CALLS.format(number=number), "callengine").strip())


def psql(script: str, database: str = "postgres") -> str:
    """Run it as PostgreSQL's superuser on this host. The script is not an argument: it has passwords."""
    command = ["runuser", "-u", "postgres", "--", "psql", "-qtA", "-v", "ON_ERROR_STOP=1", database]
    return done(command, script, "is PostgreSQL installed and running? apt-get install postgresql")


def lay_out(values: Path) -> None:
    """Write Asterisk's configuration."""
    done([str(LAY_OUT), str(values)], "", "apt-get install ./callengine_*.deb ./callengine-asterisk_*.deb")


def start_units() -> None:
    done(["systemctl", "daemon-reload"], "", "systemctl status")  # drop-ins of this quickstart
    done(
        ["systemctl", "enable", "--now", *UNITS],
        "",
        "journalctl -u UNIT says why one did not start",
    )


def stop_units() -> None:
    done(["systemctl", "disable", "--now", "--quiet", *reversed(UNITS)], "", "systemctl status UNIT")


def done(command: list[str], script: str, remedy: str) -> str:
    """What the program prints. Raises QuickstartError, with its last line and the remedy."""
    try:
        shown = subprocess.run(  # noqa: S603 - fixed programs, no shell
            command, input=script, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QuickstartError(f"{command[0]}: {error}; {remedy}") from None
    if shown.returncode != 0:
        words = (shown.stderr or shown.stdout).strip().splitlines() or ["no message"]
        raise QuickstartError(f"{Path(command[0]).name}: {words[-1]}; {remedy}")
    return shown.stdout
