"""The files that a quickstart writes: their texts, and who may read them."""

import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import yaml

from cli.quickstart.wish import LOCAL, Passwords, Wish

PUBLIC, SECRET = 0o644, 0o600
WITH_AUDIO = ("worker", "audit", "portal")  # the units that use the object store


@dataclass(frozen=True, slots=True)
class Written:
    """A file to write. What is SECRET is not shown."""

    text: str
    mode: int = PUBLIC

    @property
    def shown(self) -> str:
        return "  (a password)" if self.mode == SECRET else indent(self.text, "  ").rstrip()


def owner_url(wish: Wish, passwords: Passwords) -> str:
    """The database as the owner of the schema."""
    return url_of("callengine_owner", passwords.owner) if wish.database == LOCAL else wish.database


def url_of(role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@127.0.0.1/callengine"


def files_of(wish: Wish, passwords: Passwords, root: Path = Path("/")) -> dict[Path, Written]:
    """Every file, in the order in which they are written. `root`: / except in tests."""
    folder = root / "etc/callengine"
    credentials, routing = folder / "credentials", folder / "routing"
    units = root / "etc/systemd/system"
    worker = url_of("callengine_worker", passwords.worker) if wish.database == LOCAL else wish.database
    portal = url_of("callengine_portal", passwords.portal) if wish.database == LOCAL else wish.database
    return {
        folder / "callengine.toml": Written(settings_text(wish)),
        credentials / "ari__password": Written(f"{passwords.ari}\n", SECRET),
        credentials / "ari__events_password": Written(f"{passwords.events}\n", SECRET),
        credentials / "database": Written(f"{worker}\n", SECRET),
        credentials / "portal__database": Written(f"{portal}\n", SECRET),
        credentials / "master_key": Written(f"{passwords.master_key}\n", SECRET),
        root / "root/callengine-owner": Written(f"{owner_url(wish, passwords)}\n", SECRET),
        folder / "asterisk.values": Written(values_text(wish)),
        **files_of_login(wish, folder, units),
        **files_of_bucket(wish, credentials, units),
        routing / "owners" / f"{wish.slug}.yaml": Written(owner_text(wish)),
        routing / "numbers" / f"{wish.number.removeprefix('+')}.yaml": Written(number_text(wish)),
    }


def files_of_login(wish: Wish, folder: Path, units: Path) -> dict[Path, Written]:
    """What is needed to register with the carrier: trunk.yaml replaces the carrier of pjsip.conf."""
    if not wish.login:
        return {}
    terms: dict[str, object] = {"host": wish.carrier, "addresses": [wish.carrier_address], "user": wish.login}
    terms |= {"registration": True, "contact": wish.number, "qualify_seconds": int(wish.qualify_seconds)}
    name = "trunk_passwords__trunk"
    return {
        folder / "trunks" / "trunk.yaml": Written(as_yaml(terms)),
        folder / "credentials" / name: Written(f"{wish.login_password}\n", SECRET),
        drop_in(units, "engine", "login"): Written(loading(name)),
    }


def files_of_bucket(wish: Wish, credentials: Path, units: Path) -> dict[Path, Written]:
    if not wish.bucket:
        return {}
    name = "objects__secret_key"
    secret = {credentials / name: Written(f"{wish.secret_key}\n", SECRET)}
    return secret | {drop_in(units, unit, "bucket"): Written(loading(name)) for unit in WITH_AUDIO}


def drop_in(units: Path, unit: str, name: str) -> Path:
    return units / f"callengine-{unit}.service.d" / f"quickstart-{name}.conf"


def loading(credential: str) -> str:
    return f"[Service]\nLoadCredential={credential}:/etc/callengine/credentials/{credential}\n"


def settings_text(wish: Wish) -> str:
    """callengine.toml; TOML's strings are JSON's."""
    mail = {"sender": wish.sender} | ({"smarthost": wish.smarthost} if wish.smarthost else {})
    lines = [
        "# Written by callengine quickstart. `callengine settings --example` prints every setting.",
        "[asterisk]",
        'etc_dir = "/etc/asterisk"',
        'trunk = "PJSIP/{number}@trunk{n}"',
        *(['trunks = "/etc/callengine/trunks"'] if wish.login else []),
        "",
        "[mail]",
        *(f"{name} = {json.dumps(value)}" for name, value in mail.items()),
        *objects_lines(wish),
    ]
    return "\n".join(lines) + "\n"


def objects_lines(wish: Wish) -> list[str]:
    if not wish.bucket:
        return []
    values = {"bucket": wish.bucket, "endpoint": wish.endpoint, "region": wish.region}
    values["access_key"] = wish.access_key
    return ["", "[objects]", *(f"{name} = {json.dumps(value)}" for name, value in values.items() if value)]


def values_text(wish: Wish) -> str:
    """The values that lay-out.sh fills into Asterisk's files."""
    values = {"SIP_ADDRESS": wish.sip, "CARRIER": wish.carrier, "CARRIER_ADDRESS": wish.carrier_address}
    values |= {"QUALIFY_SECONDS": wish.qualify_seconds}
    return "".join(f"{name}={value}\n" for name, value in values.items())


def owner_text(wish: Wish) -> str:
    return as_yaml({"name": wish.owner, "language": wish.language, "mail": wish.owner_mail})


def number_text(wish: Wish) -> str:
    """Ring the destination, if there is one; then take a message."""
    ring: list[object] = [{"ring": wish.destination}] if wish.destination else []
    terms = {"number": wish.number, "owner": wish.slug, "timezone": wish.timezone}
    return as_yaml({**terms, "route": [*ring, {"voicemail": {}}]})


def as_yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return text
