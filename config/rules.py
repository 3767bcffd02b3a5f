"""The rules for routing folders: the settings, and the domains that have the file of a trunk."""

from collections.abc import Sequence

from config.errors import ConfigErrors
from config.policy import Policy
from config.settings import Settings
from config.trunks import domains_in, load_trunks


def policy_of(settings: Settings) -> Policy:
    """Return where calls may be sent. A folder of trunks that cannot be read allows no domain."""
    try:
        domains = domains_in(settings.asterisk.trunks)
    except OSError:
        domains = frozenset()
    return Policy(settings.destinations.countries, domains=domains)


def trunk_errors(settings: Settings) -> Sequence[object]:
    """Return what is wrong in the files of trunks, which therefore allow no domain."""
    try:
        load_trunks(settings.asterisk.trunks)
    except ConfigErrors as errors:
        return errors.errors
    except OSError as error:
        return (error,)
    return ()
