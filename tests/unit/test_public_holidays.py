"""One country's module is imported at a time, and its holidays are those of the library as it comes."""

import json
import subprocess
import sys
from collections.abc import Mapping

from dialplan.public_holidays import countries, languages_of, public_holidays, subdivisions_of

YEAR = 2026
WHOLE = f"""
import holidays, json
codes = [code for code in holidays.list_supported_countries() if len(code) == 2]
languages = holidays.list_localized_countries()
print(json.dumps({{code: [
    {{str(day): name for day, name in holidays.country_holidays(code, years={YEAR}).items()}},
    list(holidays.list_supported_countries()[code]),
    list(languages.get(code, ())),
] for code in codes}}))
"""
ONE = """
import sys
from dialplan.public_holidays import public_holidays
public_holidays("BE", 2026)
print(sum(name.startswith("holidays.countries.") for name in sys.modules))
"""


def said_by(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_every_country_has_the_holidays_regions_and_languages_of_the_whole_library() -> None:
    whole: Mapping[str, list[object]] = json.loads(said_by(WHOLE))
    assert countries() == set(whole)
    for code, (days, regions, languages) in whole.items():
        assert {str(day): name for day, name in public_holidays(code, YEAR).items()} == days, code
        assert list(subdivisions_of(code)) == regions, code
        assert not languages or list(languages_of(code)) == languages, code


def test_only_the_country_that_is_asked_for_is_imported() -> None:
    assert int(said_by(ONE)) < 5
