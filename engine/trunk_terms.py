"""What [connect] of extensions.conf does for each carrier: global variables in fallback.conf.

NEXT_beta=gamma                 the carrier that is tried after it
TERMS_beta=30/no/national/32/ppi/diversion/beta.example/+3225550000
SIP_pbx.acme.example=acme-pbx   the trunk of a domain of SIP addresses, for fallbacks
COUNTRY=32                      that of callers' numbers in national form
"""

import re
from itertools import pairwise

from config.trunk import Forwarding, Identity, Trunk
from config.trunks import Trunks


def variables_of(trunks: Trunks, country: str) -> dict[str, str]:
    """Every variable. `country`: the calling code of numbers that carriers send in national form, or ""."""
    following = {f"NEXT_{name}": to for name, to in pairwise(trunks.carriers)}
    domains = {f"SIP_{domain}": name for domain, name in trunks.domains.items()}
    terms = {f"TERMS_{name}": terms_of(trunk) for name, trunk in trunks.by_name.items()}
    written = {name: text for name, text in terms.items() if text}
    return {**following, **domains, **written, **({"COUNTRY": country} if written and country else {})}


def terms_of(trunk: Trunk) -> str:
    """The value of TERMS; "" if [connect] has nothing to do for this carrier."""
    if not (trunk.calls or not trunk.early_media or changes_headers(trunk)):
        return ""
    return "/".join(
        (
            str(trunk.calls or ""),
            "" if trunk.early_media else "no",
            str(trunk.numbers or ""),
            trunk.country,
            identity_header(trunk),
            "" if trunk.forwarding is Forwarding.NONE else str(trunk.forwarding),
            trunk.domain or re.sub(r":[0-9]+$", "", trunk.host),
            trunk.identity_number or "",
            *(("sip",) if trunk.sip_domain else ()),
        )
    )


def changes_headers(trunk: Trunk) -> bool:
    """Whether a leg's headers depend on the call: that costs its setup 1 to 50 ms."""
    return bool(trunk.numbers or identity_header(trunk) or trunk.forwarding is not Forwarding.NONE)


def identity_header(trunk: Trunk) -> str:
    """The header that [carrier] adds; the endpoint itself adds P-Asserted-Identity of the caller."""
    if trunk.identity is Identity.ASSERTED and trunk.identity_number is None:
        return ""
    return "" if trunk.identity is Identity.NONE else str(trunk.identity)
