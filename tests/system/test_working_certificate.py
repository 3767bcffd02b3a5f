"""The mail server's certificate changes: renewed, then of an authority that the host does not know yet."""

import asyncio
import json

import pytest

from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.house import CERTIFIED, MAIL, SIP
from tests.system.test_packages import READY
from tests.system.test_working import BEEP_HZ, CALLER, CALLER_HZ

pytestmark = [pytest.mark.timeout(1800)]
KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
FILES = "smtpd_tls_cert_file=/etc/postfix/crt smtpd_tls_key_file=/etc/postfix/key"
TLS = f"postconf -e smtpd_tls_security_level=may {FILES}"
SIGN = f"""
openssl req {KEY} -subj /CN=mail -addext subjectAltName=IP:127.0.0.1 -keyout /etc/postfix/key -out /root/csr
openssl x509 -req -in /root/csr -CA /root/NAME.crt -CAkey /root/NAME.key -days 9 -copy_extensions copy \\
    -out /etc/postfix/crt
{TLS}
postfix reload
"""
OWNER = f"name: Bank\nlanguage: en\nmail: {MAIL}\nrequire_tls: true\n"
NUMBER = f"number: {CERTIFIED}\nowner: bank\ntimezone: Europe/Brussels\nroute:\n  - voicemail: {{}}\n"


def authority(guest: Guest, name: str) -> None:
    files = f"-keyout /root/{name}.key -out /root/{name}.crt"
    usage = "-addext keyUsage=critical,keyCertSign,cRLSign"  # or Python refuses it
    guest.run(f"openssl req -x509 {KEY} {usage} -days 9 -subj /CN={name} {files}")


def trust(guest: Guest, name: str) -> None:
    """As the guide says: the host's authorities, then a restart of the worker."""
    guest.run(f"cp /root/{name}.crt /usr/local/share/ca-certificates/ && update-ca-certificates")
    guest.run("systemctl restart callengine-worker")


def certify(guest: Guest, name: str) -> None:
    """A new key and certificate for the mail server, signed by this authority."""
    guest.run(SIGN.replace("NAME", name))


async def leave(guest: Guest, telephones: Phones, count: int) -> str:
    """Leave a message; its id. `count`: how many there are afterwards."""
    caller = await telephones.dial(CERTIFIED, SIP, shown(CALLER))
    await caller.hears(BEEP_HZ, 30)
    caller.say(CALLER_HZ)
    await asyncio.sleep(3)  # what is said
    await caller.hang_up()
    listed = f"callengine messages --number {CERTIFIED} --format json"
    rows = json.loads(await guest.until(f"{listed} | jq -e 'select(length == {count})'"))
    return str(rows[0]["message_id"])


async def test_a_renewed_certificate_changes_nothing_and_one_of_an_unknown_authority_holds_mail_back(
    production: Guest, telephones: Phones
) -> None:
    authority(production, "one")
    authority(production, "two")
    certify(production, "one")
    trust(production, "one")
    production.write("/etc/callengine/routing/owners/bank.yaml", OWNER)
    production.write("/etc/callengine/routing/numbers/bank.yaml", NUMBER)
    await production.until("callengine owners show bank")
    await production.until(READY)

    for count in (1, 2):
        message = await leave(production, telephones, count)
        await production.until(f"callengine messages show {message} | grep 'TLS verified'", 60)
        certify(production, "one")

    certify(production, "two")
    message = await leave(production, telephones, 3)
    await production.until(f"callengine messages show {message} | grep -i certificate", 60)
    trust(production, "two")
    await production.until(READY)
    production.run(f"callengine messages retry {message}")
    await production.until(f"callengine messages show {message} | grep 'TLS verified'", 60)
