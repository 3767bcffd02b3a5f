"""Which servers take a domain's mail."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import pytest

from mailer.mx import DnsTrouble, Exchangers, NoMailTaken


class Zone:
    """A resolver that answers with these MX records, or raises that."""

    def __init__(self, *records: tuple[int, str], trouble: type[Exception] | None = None) -> None:
        self.records = records
        self.trouble = trouble

    async def resolve(self, name: dns.name.Name, kind: str, lifetime: float) -> list[Any]:
        assert (kind, name.is_absolute()) == ("MX", True), "no search list of the host's is tried"
        if self.trouble:
            raise self.trouble()
        return [
            SimpleNamespace(preference=preference, exchange=dns.name.from_text(host))
            for preference, host in self.records
        ]


async def asked(zone: Zone) -> Sequence[str]:
    return await Exchangers(cast("dns.asyncresolver.Resolver", zone), list.reverse).of("acme.example")


async def test_the_preferred_are_asked_first_and_equals_in_any_order() -> None:
    zone = Zone((20, "c.example."), (10, "a.example."), (10, "b.example."))
    assert await asked(zone) == ["b.example", "a.example", "c.example"]


async def test_no_more_than_five_are_asked() -> None:
    assert len(await asked(Zone(*((n, f"mx{n}.example.") for n in range(9))))) == 5


async def test_a_domain_without_mx_takes_its_mail_itself() -> None:
    assert await asked(Zone(trouble=dns.resolver.NoAnswer)) == ["acme.example"]


@pytest.mark.parametrize("zone", [Zone((0, ".")), Zone(trouble=dns.resolver.NXDOMAIN)])
async def test_one_that_says_so_or_does_not_exist_takes_none(zone: Zone) -> None:
    with pytest.raises(NoMailTaken, match=r"acme\.example"):
        await asked(zone)


@pytest.mark.parametrize(
    "trouble", [dns.exception.Timeout, dns.resolver.NoNameservers, dns.exception.FormError]
)
async def test_name_servers_in_trouble_are_asked_again_later(trouble: type[Exception]) -> None:
    with pytest.raises(DnsTrouble):
        await asked(Zone(trouble=trouble))
