"""The settings of the owners' portal."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config.listed import split
from config.mail import Network
from dialplan.model import Model, check_label

URL = r"(https://[A-Za-z0-9.-]{1,253}|http://(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]{1,5})?"


def _check_url(text: str) -> str:
    text = text.rstrip("/").lower()
    if text and not re.fullmatch(URL, text, re.ASCII):
        raise ValueError("write https:// and the host, without a path: https://portal.provider.example")
    return text


class Portal(Model):
    """The owners' portal: `callengine portal`."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        "",
        examples=["https://portal.provider.example"],
        description="Its address as owners see it, that of your reverse proxy. Requests for another host "
        "are refused. Required by `callengine portal`",
    )
    title: Annotated[str, AfterValidator(check_label)] = Field(
        "callengine", description="Your name, as pages and mails show it"
    )
    host: str = Field("127.0.0.1", description="Address where the portal waits for your reverse proxy")
    port: int = Field(9462, ge=0, le=65535, description="Its port")
    database: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL with the role callengine_portal, which sees one owner's rows at a time: "
        "postgresql://callengine_portal:PASSWORD@HOST/NAME; better as a credential",
    )
    proxies: Annotated[frozenset[Network], NoDecode, BeforeValidator(split)] = Field(
        frozenset(),
        examples=[["192.0.2.10"]],
        description="Addresses of reverse proxies whose X-Forwarded-For is believed, besides loopback",
    )
    session_hours: float = Field(
        12, gt=0, le=720, description="An unused login ends after this time, a used one after 30 days"
    )
