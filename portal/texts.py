"""The words of the portal in each language: `texts/LANGUAGE.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from dialplan.names import LANGUAGES

DEFAULT = "en"


@cache
def texts(language: str) -> Mapping[str, Any]:
    """The words in this language; in English for a language that there is none of."""
    known = language if language in LANGUAGES else DEFAULT
    return tomllib.loads((resources.files("portal") / "texts" / f"{known}.toml").read_text("utf-8"))


def preferred(header: str) -> str:
    """The best language of an Accept-Language header (RFC 9110, 12.5.4); English if it names none of ours."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")[:20]):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and (quality := _quality(weight)) > 0:
            ranked.append((-quality, place, language))
    return min(ranked)[2] if ranked else DEFAULT


def _quality(weight: str) -> float:
    if not weight:
        return 1.0
    name, _, value = weight.strip().partition("=")
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if name.strip() == "q" and 0 <= quality <= 1 else 0.0
