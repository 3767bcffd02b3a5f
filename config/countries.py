"""Countries by their two letters (ISO 3166-1)."""

import re

# The EU, its economic area and two neighbours: where a destination may be unless the settings say otherwise.
EUROPE = frozenset(re.findall("..", "ATBEBGCHCYCZDEDKEEESFIFRGBGRHRHUIEISITLILTLULVMTNLNOPLPTROSESISK"))
