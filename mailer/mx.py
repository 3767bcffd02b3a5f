"""Which servers take a domain's mail (RFC 5321, section 5.1; RFC 7505)."""

import random
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

MOST = 5  # servers tried for each mail
LOOKUP_SECONDS = 30

Shuffle = Callable[[list[tuple[int, str]]], None]


class NoMailTaken(Exception):
    """The domain takes no mail, or does not exist; the message says which."""


class DnsTrouble(Exception):
    """The name servers did not answer, or with an error."""


class Exchangers:
    """Looks up MX records; mail servers of equal preference are shuffled each time."""

    def __init__(
        self, resolver: dns.asyncresolver.Resolver | None = None, shuffle: Shuffle = random.shuffle
    ) -> None:
        self._resolver = resolver
        self._shuffle = shuffle

    async def of(self, domain: str) -> Sequence[str]:
        """The host names, in the order to try them. Raises NoMailTaken, DnsTrouble."""
        resolver = self._resolver or dns.asyncresolver.get_default_resolver()
        try:
            answer = await resolver.resolve(dns.name.from_text(domain), "MX", lifetime=LOOKUP_SECONDS)
        except dns.resolver.NoAnswer:
            return [domain]  # no MX record: the domain itself is the mail server (RFC 5321, 5.1)
        except dns.resolver.NXDOMAIN:
            raise NoMailTaken(f"the domain {domain} does not exist") from None
        except dns.exception.DNSException as error:
            raise DnsTrouble(f"the MX records of {domain} cannot be looked up: {error}") from None
        return self._ordered(domain, [(mx.preference, mx.exchange.to_text(True)) for mx in answer])

    def _ordered(self, domain: str, exchangers: list[tuple[int, str]]) -> Sequence[str]:
        if [host for _, host in exchangers] in ([""], ["."], ["@"]):
            raise NoMailTaken(f"the domain {domain} takes no mail (null MX, RFC 7505)")
        self._shuffle(exchangers)
        return [host for _, host in sorted(exchangers, key=lambda mx: mx[0])][:MOST]
