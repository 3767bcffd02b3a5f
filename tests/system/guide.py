"""The shell blocks of docs/operating.md, to be executed as they stand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.system.guest import ROOT

GUIDE = ROOT / "docs/operating.md"


@dataclass(frozen=True)
class Block:
    """A block of the guide: the heading it stands under, its language (sh, sql, yaml) and its text."""

    heading: str
    language: str
    text: str


def blocks(heading: str, language: str = "sh") -> list[Block]:
    """The blocks in this language under this heading, in their order; never none."""
    found = [block for block in all_blocks() if (block.heading, block.language) == (heading, language)]
    assert found, f"docs/operating.md has no {language} block under {heading}"
    return found


def all_blocks() -> list[Block]:
    """Every block of the guide that has a language."""
    text = GUIDE.read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return [
        Block(heading, language, code)
        for heading, part in zip(parts[1::2], parts[2::2], strict=True)
        for language, code in re.findall(r"^```([a-z]+)\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
    ]


def filled_in(block: Block, examples: Mapping[str, str]) -> str:
    """Its text with the guide's examples replaced by what is true here, each of which has to occur."""
    text = block.text
    for example, value in examples.items():
        assert example in text, f"{example} is not in this block of {block.heading}:\n{text}"
        text = text.replace(example, value)
    return text
