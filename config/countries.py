"""Countries by their two letters (ISO 3166-1)."""

import re

# The EU, its economic area and two neighbours: the default of the countries of destinations.
EUROPE = frozenset(re.findall("..", "ATBEBGCHCYCZDEDKEEESFIFRGBGRHRHUIEISITLILTLULVMTNLNOPLPTROSESISK"))
