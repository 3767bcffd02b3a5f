"""The documentation of routing files, as it stands in the docstrings of the models.

A docstring has paragraphs of text, and blocks of YAML whose lines may end in a remark, behind spaces:

    - announce: welcome            the file prompts/welcome.wav

A remark explains the setting of its line. In the text, `` `hours`: when it is rung. `` does so too.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from dialplan.model import Model

YAML_LINE = re.compile(r" *(- |[a-z0-9_'-]+:\s)")
REMARK = re.compile(r"(?P<code> *\S.*?) {2,}(?P<remark>\S.*)")
SETTING = re.compile(r"[ -]*(?P<name>[a-z_]+):( |$)")
IN_TEXT = re.compile(
    r"`(?P<name>[a-z_]+)`(?P<more>[^`:.;]*): (?P<what>.*?)(?=\. `[a-z_]+`[^`:.;]*: |\.?$)", re.S
)


@dataclass(frozen=True, slots=True)
class Documentation:
    """`parts`: the paragraphs in order. `remarks`: what the docstring says of a setting, by its name."""

    parts: tuple[str, ...]
    remarks: dict[str, str]

    @property
    def summary(self) -> str:
        """The first paragraph, on one line."""
        return " ".join(self.parts[0].split())


@cache
def documentation(model: type[Model]) -> Documentation:
    """Return what the docstring of a model says."""
    parts = tuple(re.split(r"\n\s*\n", inspect.cleandoc(model.__doc__ or "")))
    remarks: dict[str, str] = {}
    for part in parts:
        for name, what in _remarks(part):
            if what and name in _written_names(model):
                remarks.setdefault(name, what)
    return Documentation(parts, remarks)


def is_yaml(part: str) -> bool:
    """Whether this paragraph is a block of YAML."""
    return YAML_LINE.match(part) is not None


def as_yaml(part: str) -> str:
    """Return the block with its remarks as comments of YAML, all in the same column."""
    lines = [_split(line) for line in textwrap.dedent(part).splitlines()]
    width = max((len(code) for code, remark in lines if remark), default=0)
    return "\n".join(f"{code:{width}}  # {remark}" if remark else code for code, remark in lines)


def written_name(model: type[Model], field: str) -> str:
    """Return the name of a setting as an operator writes it."""
    return model.model_fields[field].alias or field


def _written_names(model: type[Model]) -> set[str]:
    return {written_name(model, field) for field in model.model_fields}


def _split(line: str) -> tuple[str, str]:
    found = REMARK.fullmatch(line)
    return (found["code"], found["remark"]) if found else (line, "")


def _remarks(part: str) -> Iterator[tuple[str, str]]:
    if not is_yaml(part):
        for found in IN_TEXT.finditer(" ".join(part.split())):
            yield found["name"], f"{found['more'].lstrip(', ')} {found['what']}".strip()
        return
    for line in part.splitlines():
        code, remark = _split(line)
        if setting := SETTING.match(code):
            yield setting["name"], remark
