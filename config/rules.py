"""The rules for routing folders: the settings, and the domains that have the file of a trunk."""

from config.policy import Policy
from config.settings import Settings
from config.trunks import domains_in


def policy_of(settings: Settings) -> Policy:
    """Return where calls may be sent. A folder of trunks that cannot be read allows no domain."""
    try:
        domains = domains_in(settings.asterisk.trunks)
    except OSError:
        domains = frozenset()
    return Policy(settings.destinations.countries, domains=domains)
