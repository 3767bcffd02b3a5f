"""What an operator adds to the guide's examples: addresses, an owner, numbers, a mail server."""

from tests.system.guest import Guest

PASSWORD = "5ecret-0f-the-datab4se"
DATABASE_PASSWORDS = ("owner", "worker", "portal", "reader")
SIP, CARRIER_PORT, BOUNCES_PORT = "127.0.0.1:5060", 5070, 2525
# The guide's examples of asterisk.values, and what is true here.
VALUES = {
    "SIP_ADDRESS=192.0.2.10:5060": f"SIP_ADDRESS={SIP}\nQUALIFY_SECONDS=0",
    "CARRIER=sip.carrier.example:5060": f"CARRIER=127.0.0.1:{CARRIER_PORT}",
    "CARRIER_ADDRESS=192.0.2.1": "CARRIER_ADDRESS=127.0.0.1",
}
DOMAIN = "callengine.example"
SENDER = f"voicemail@{DOMAIN}"
MAIL = "office@acme.example"
TALKED, RECORDED, MESSAGE, UPDATED = "+3280000001", "+3280000002", "+3280000003", "+3280000004"
KEPT, DAILY, SECOND, RESTORED = "+3280000005", "+3280000006", "+3280000007", "+3280000010"
CERTIFIED, UNMOUNTED = "+3280000011", "+3280000012"
OFFICE, DAILY_CALLER = "+32470111222", "+3225550009"

OWNER = f"name: ACME\nlanguage: en\nmail: {MAIL}\nkeep_recordings: 30 days\n"
NUMBERS = {
    TALKED: f"route:\n  - ring: {OFFICE}\n",
    RECORDED: f"record: announce\nroute:\n  - ring: {OFFICE}\n",
    UPDATED: f"route:\n  - ring: {OFFICE}\n",
    KEPT: f"record: announce\nroute:\n  - ring: {OFFICE}\n",
    DAILY: f"route:\n  - ring: {OFFICE}\n",
    SECOND: f"route:\n  - ring: {{to: {OFFICE}, seconds: 60}}\n",
    RESTORED: f"route:\n  - ring: {OFFICE}\n",
    MESSAGE: "route:\n  - voicemail: {}\n",
    UNMOUNTED: "route:\n  - voicemail: {}\n",
}
# Mail for the owner is delivered on this host; what comes back to the return addresses goes to the worker.
POSTFIX = {
    "mydestination": "localhost, acme.example",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "relay_domains": DOMAIN,
    "transport_maps": f"inline:{{ {DOMAIN}=smtp:[127.0.0.1]:{BOUNCES_PORT} }}",
    "local_recipient_maps": "",
    "relay_recipient_maps": "",
    "message_size_limit": "50000000",
    "mailbox_size_limit": "0",
}


def mail_server(guest: Guest) -> None:
    """Postfix of Debian's as smarthost, which the engine trusts to report what has arrived."""
    guest.run("apt-get -qq install postfix curl jq", seconds=900)
    changes = " ".join(f"'{name} = {value}'" for name, value in POSTFIX.items())
    guest.run(f"postconf -e {changes} && useradd --create-home office && systemctl restart postfix")
    settings = "/etc/callengine/callengine.toml"
    guest.run(f"sed -i 's/^# bounces_port = .*/bounces_port = {BOUNCES_PORT}/' {settings}")


def routing(guest: Guest) -> None:
    """An owner, and a number for each thing that a test does."""
    guest.write("/etc/callengine/routing/owners/acme.yaml", OWNER)
    for number in NUMBERS:
        file = f"/etc/callengine/routing/numbers/n{number.removeprefix('+')}.yaml"
        guest.write(file, number_file(number))


def number_file(number: str) -> str:
    """The file of a service number; a number that no test calls has the route of TALKED."""
    return f"number: {number}\nowner: acme\ntimezone: Europe/Brussels\n{NUMBERS.get(number, NUMBERS[TALKED])}"
