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
systemctl restart postfix
"""
SHOWN = "openssl s_client -starttls smtp -connect 127.0.0.1:25 </dev/null 2>/dev/null"
FINGERPRINT = "openssl x509 -noout -fingerprint -sha256"

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


async def certify(guest: Guest, name: str) -> None:
    """A new key and certificate for the mail server, signed by this authority; returns when it is shown."""
    guest.run(SIGN.replace("NAME", name))
    await guest.until(f'[ "$({SHOWN} | {FINGERPRINT})" = "$({FINGERPRINT} -in /etc/postfix/crt)" ]')


async def shows(guest: Guest, message: str, what: str) -> None:
    """Wait until the message's state has it. The error has the state, if it never does."""
    await guest.until(f"callengine messages show {message} | tee /dev/stderr | grep -i '{what}'", 60)


async def leave(guest: Guest, telephones: Phones, count: int) -> str:
    """Leave a message; its id. `count`: how many there are afterwards."""
    caller = await telephones.dial(CERTIFIED, SIP, shown(CALLER))
    await caller.hears(BEEP_HZ, 30)
    caller.say(CALLER_HZ)
    await asyncio.sleep(3)  # what is said
    await caller.hang_up()
    listed = f"callengine messages --number {CERTIFIED} --format json"
    rows = json.loads(await guest.until(f"{listed} | jq -e 'select(length == {count})'"))
    return str(rows[-1]["message_id"])  # the oldest call comes first


async def test_a_renewed_certificate_changes_nothing_and_one_of_an_unknown_authority_holds_mail_back(
    production: Guest, telephones: Phones
) -> None:
    authority(production, "one")
    authority(production, "two")
    await certify(production, "one")
    trust(production, "one")
    production.write("/etc/callengine/routing/owners/bank.yaml", OWNER)
    production.write("/etc/callengine/routing/numbers/bank.yaml", NUMBER)
    await production.until("callengine owners show bank")
    await production.until(READY)

    for count in (1, 2):
        message = await leave(production, telephones, count)
        await shows(production, message, "TLS verified")
        await certify(production, "one")

    await certify(production, "two")
    message = await leave(production, telephones, 3)
    await shows(production, message, "certificate")
    trust(production, "two")
    await production.until(READY)
    production.run(f"callengine messages retry {message}")
    await shows(production, message, "TLS verified")
