"""The settings of how messages reach their owners."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from config.listed import split
from dialplan.model import Model, check_label
from dialplan.number import check_mail

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"


def _check_sender(text: str) -> str:
    return check_mail(text) if text else text


def _check_host(text: str) -> str:
    if text and not re.fullmatch(HOST, text, re.ASCII):
        raise ValueError("write a host name, its port apart: smtp.provider.example")
    return text.lower()


def _check_domain(text: str) -> str:
    if not re.fullmatch(HOST, text, re.ASCII):
        raise ValueError(f"{text} is not a domain; write one as in  acme.example")
    return text.lower()


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(
            f"{value} is not an address or a network; write it as in  192.0.2.25  or  2001:db8::/64"
        ) from None


Host = Annotated[str, AfterValidator(_check_host)]
Domain = Annotated[str, AfterValidator(_check_domain)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]


class Mail(Model):
    """How messages reach their owners: by your own mail server, or directly to theirs."""

    sender: Annotated[str, AfterValidator(_check_sender)] = Field(
        "",
        examples=["voicemail@provider.example"],
        description="Sender of mails. Its domain must accept mail for vm+...@ (see bounces_port). Unset: "
        "messages wait",
    )
    sender_name: Annotated[str, AfterValidator(check_label)] = Field(
        "Voicemail", description="Name of the sender"
    )
    smarthost: Host = Field(
        "",
        examples=["smtp.provider.example"],
        description="Your mail server. Unset: mails go directly to those of the owners",
    )
    port: int = Field(25, ge=1, le=65535, description="SMTP port; 465 means implicit TLS")
    user: str = Field("", description="Login there; sent only to a server whose certificate matches its name")
    password: SecretStr = Field(SecretStr(""), description="Password; better as a credential")
    hello: Host = Field(
        "",
        examples=["engine1.provider.example"],
        description="Host name in EHLO. Unset: the host name",
    )
    authorities: Path | None = Field(
        None,
        examples=["/etc/callengine/ca.pem"],
        description="File with certificates of CAs to trust, besides the system's",
    )
    require_tls: Annotated[frozenset[Domain], NoDecode, BeforeValidator(split)] = Field(
        frozenset(),
        description="Domains that get mail only over TLS with a certificate for their server",
    )
    workers: int = Field(8, ge=1, le=100, description="Mails that are sent at the same time")
    per_domain: int = Field(4, ge=1, le=100, description="The same for one domain, without a smarthost")
    deadline_seconds: int = Field(
        900,
        ge=5,
        le=3600,
        description="Longest time of one attempt, of which the last reply may take 600 s",
    )
    bounce_window_hours: float = Field(
        24,
        ge=0,
        le=240,
        description="How long a message is kept after the smarthost has accepted it, in case it bounces",
    )
    keep_undeliverable_days: float = Field(
        30,
        gt=0,
        le=365,
        description="How long an undeliverable message is kept",
    )
    bounces_host: str = Field(
        "127.0.0.1", description="Address on which bounces to vm+...@ are received by SMTP"
    )
    bounces_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        examples=[2525],
        description="Port for bounces. Unset: bounces are not received",
    )
    bounces_trusted: Annotated[frozenset[Network] | None, NoDecode, BeforeValidator(split)] = Field(
        None,
        examples=[["192.0.2.25", "2001:db8::/64"]],
        description="Addresses of mail servers whose delivery reports are trusted; such a report ends the "
        "bounce window. Unset: those of the smarthost; []: none",
    )

    @model_validator(mode="after")
    def _login_at_the_smarthost(self) -> "Mail":
        if self.user and not (self.smarthost and self.password):
            raise ValueError("a user needs smarthost and password too")
        return self
