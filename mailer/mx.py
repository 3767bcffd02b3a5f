"""Which servers take a domain's mail (RFC 5321, section 5.1; RFC 7505)."""

import random
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

MOST = 5  # servers tried for one mail
LOOKUP_SECONDS = 30

Shuffle = Callable[[list[tuple[int, str]]], None]


class NoMailTaken(Exception):
    """This domain takes no mail, or there is none of this name; the message says which."""


class DnsTrouble(Exception):
    """The name servers do not say."""


class Exchangers:
    """Asks the name servers; of servers that are equally preferred, another one first each time."""

    def __init__(
        self, resolver: dns.asyncresolver.Resolver | None = None, shuffle: Shuffle = random.shuffle
    ) -> None:
        self._resolver = resolver
        self._shuffle = shuffle

    async def of(self, domain: str) -> Sequence[str]:
        """The host names, in the order they are to be tried. Raises NoMailTaken, DnsTrouble."""
        resolver = self._resolver or dns.asyncresolver.get_default_resolver()
        try:
            answer = await resolver.resolve(dns.name.from_text(domain), "MX", lifetime=LOOKUP_SECONDS)
        except dns.resolver.NoAnswer:
            return [domain]  # it has no MX record: its own address is meant
        except dns.resolver.NXDOMAIN:
            raise NoMailTaken(f"there is no domain {domain}") from None
        except dns.exception.DNSException as error:
            raise DnsTrouble(f"the name servers do not say who takes mail for {domain}: {error}") from None
        return self._ordered(domain, [(mx.preference, mx.exchange.to_text(True)) for mx in answer])

    def _ordered(self, domain: str, found: list[tuple[int, str]]) -> Sequence[str]:
        if [host for _, host in found] in ([""], ["."], ["@"]):
            raise NoMailTaken(f"{domain} takes no mail")
        self._shuffle(found)
        return [host for _, host in sorted(found, key=lambda mx: mx[0])][:MOST]
