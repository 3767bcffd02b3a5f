"""A carrier: the model of a file in the folder of trunks."""

import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from dialplan.address import check_domain
from dialplan.model import E164, TEXT, Model, Written

MOST_ADDRESSES = {4: 2**16, 6: 2**80}


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Codec(StrEnum):
    PCMA = "alaw"
    PCMU = "ulaw"
    G722 = "g722"
    OPUS = "opus"


class NumberForm(StrEnum):
    """How a carrier wants +32470111222 to be written."""

    PLUS = "plus"
    DIGITS = "digits"
    ZEROS = "zeros"
    NATIONAL = "national"


class Identity(StrEnum):
    """The header in which a carrier expects the caller's identity, besides From."""

    NONE = "none"
    ASSERTED = "pai"
    PREFERRED = "ppi"


class Forwarding(StrEnum):
    """The header in which a carrier expects the number that forwards the call."""

    NONE = "none"
    DIVERSION = "diversion"
    HISTORY_INFO = "history_info"


class Keys(StrEnum):
    """How keys are sent and received."""

    RFC4733 = "rfc4733"
    INFO = "info"
    AUTO = "auto"


def _check_host(text: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", text, re.ASCII):
        raise ValueError("write HOST or HOST:PORT, an IPv6 address in brackets: sip.carrier.example:5060")
    return text


def _check_domain(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{0,200}", text, re.ASCII):
        raise ValueError("write a name such as carrier.example")
    return text


def _check_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text} is not an address or network; write 198.51.100.7 or 198.51.100.0/28"
        ) from None
    if network.num_addresses > MOST_ADDRESSES[network.version]:
        raise ValueError(f"{text} is open to too many; write the carrier's own addresses")
    return text


def _check_login(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.+_@~-]{0,64}", text, re.ASCII):
        raise ValueError("a user has letters, digits and . + _ @ ~ - only")
    return text


def _check_country(text: str) -> str:
    if not re.fullmatch(r"([1-9][0-9]{0,2})?", text, re.ASCII):
        raise ValueError("write the calling code without a +, for example 32")
    return text


Login = Annotated[str, AfterValidator(_check_login), Written(type=TEXT, pattern="^[A-Za-z0-9.+_@~-]{0,64}$")]
Country = Annotated[
    str,
    AfterValidator(_check_country),
    Written(type=TEXT, pattern="^([1-9][0-9]{0,2})?$", minimum=1, maximum=999),
]


class Trunk(Model):
    """A carrier; or, with `sip_domain`, a telephone system that is reached by SIP addresses only.

    host: sip.beta.example:5060    where calls are sent
    sip_domain: pbx.acme.example   destinations sip:...@pbx.acme.example are dialled here, and no numbers
    order: 2                       the lower, the earlier it is tried; that of trunk.yaml is the first
    addresses: [198.51.100.7]      where its calls come from; without it: outgoing calls only
    transport: tls                 udp, tcp or tls; tcp and tls need a transport in pjsip.conf
    srtp: true                     audio is encrypted, too; needs tls
    ipv6: true                     it is reached by IPv6; with udp, needs the transport udp6
    user: "4711"                   it asks for a login; the password: trunk_passwords__NAME
    registration: true             it sends calls to where this Asterisk registers
    contact: "+3270012345"         the number that it then dials; without it, `user`
    domain: beta.example           the domain in From; without it, the address of this Asterisk
    codecs: [alaw, ulaw]           alaw, ulaw, g722, opus; the first is preferred
    dtmf: rfc4733                  keys: rfc4733, info (SIP INFO) or auto
    numbers: national              plus +32470.., digits 32470.., zeros 0032470.., national 0470..
    country: 32                    with `national`: the numbers of this country are written so
    identity: pai                  pai or ppi: the header that has the caller's number, besides From
    identity_number: +3225550000   this number in that header, instead of the caller's
    forwarding: diversion          diversion or history_info: the header that has the service number
    early_media: false             callers hear ringing until a destination answers
    calls: 30                      at most so many destinations at once; then the next carrier
    incoming_calls: 100            at most so many of its own calls at once; 503 to the next one
    nat: true                      it is behind NAT: answer to where its packets come from
    qualify_seconds: 30            how often OPTIONS is sent; 0: never
    rtp_timeout: 120               seconds without RTP and RTCP that end a conversation
    """

    host: Annotated[str, AfterValidator(_check_host)] = Field(examples=["sip.beta.example:5060"])
    sip_domain: Annotated[str, AfterValidator(check_domain)] | None = None
    order: int = Field(1, ge=1, le=99)
    addresses: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()
    transport: Transport = Transport.UDP
    srtp: bool = False
    ipv6: bool = False
    user: Login = ""
    registration: bool = False
    contact: Login = ""
    domain: Annotated[str, AfterValidator(_check_domain)] = ""
    codecs: tuple[Codec, ...] = Field((Codec.PCMA, Codec.PCMU), min_length=1)
    dtmf: Keys = Keys.RFC4733
    numbers: NumberForm | None = None
    country: Country = ""
    identity: Identity = Identity.NONE
    identity_number: E164 | None = None
    forwarding: Forwarding = Forwarding.NONE
    early_media: bool = True
    calls: int = Field(0, ge=0, le=10_000)
    incoming_calls: int = Field(0, ge=0, le=10_000)
    nat: bool = False
    qualify_seconds: int = Field(30, ge=0, le=3600)
    rtp_timeout: int = Field(120, ge=0, le=3600)

    @classmethod
    def noun(cls) -> str:
        return "a trunk"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for is_wrong, why in self._contradictions():
            if is_wrong:
                raise ValueError(why)
        return self

    def _contradictions(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                self.srtp and self.transport is not Transport.TLS,
                "with `srtp` write `transport: tls`: otherwise its keys go over the network in plain",
            ),
            (self.ipv6 and self.transport is not Transport.UDP, "with `ipv6` write `transport: udp`"),
            (
                self.registration and not self.user,
                "with `registration` write the `user` that the carrier gave you",
            ),
            (
                self.numbers is NumberForm.NATIONAL and not self.country,
                "with `numbers: national` write the `country`, for example 32",
            ),
            (
                self.identity_number is not None and self.identity is Identity.NONE,
                "with `identity_number` write the `identity` that has it: pai or ppi",
            ),
            (
                bool(self.contact) and not self.registration,
                "`contact` is that of a registration: write `registration: true`, or remove it",
            ),
        )

    @property
    def socket(self) -> str:
        """The name of its transport in Asterisk's configuration."""
        return "udp6" if self.ipv6 else str(self.transport)
