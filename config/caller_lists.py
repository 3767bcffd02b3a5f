"""Lists of callers' numbers: callers/NAME.txt, one number on each line; a comment begins with `#`."""

import re

from config.errors import NOWHERE, Place
from dialplan.caller_list import MOST_NUMBERS, CallerList

MAX_LIST_BYTES = 8_000_000
MOST_SHOWN = 20
NUMBER = re.compile(rb"\+([1-9][0-9]{6,14})[ \t\r]*(?:#.*)?")
EMPTY = re.compile(rb"[ \t\r]*(?:#.*)?")

type Errors = list[tuple[Place, str]]


def read_list(data: bytes) -> tuple[CallerList | None, Errors]:
    """Return the numbers in this text and its errors; None if there are too many. 100,000 take 0.1 s.

    An error does not quote the line: it may contain a person's number, and errors are logged.
    """
    if len(data) > MAX_LIST_BYTES:
        return None, [(NOWHERE, f"larger than {MAX_LIST_BYTES:,} bytes; split it into several lists")]
    numbers: list[int] = []
    wrong_lines: list[int] = []
    for line_number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if match := NUMBER.fullmatch(line):
            numbers.append(int(match[1]))
        elif not EMPTY.fullmatch(line):
            wrong_lines.append(line_number)
    listed = CallerList.of(numbers)
    if len(listed) > MOST_NUMBERS:
        return None, [(NOWHERE, f"more than {MOST_NUMBERS:,} numbers; split it into several lists")]
    return listed, _errors(wrong_lines)


def _errors(lines: list[int]) -> Errors:
    text = "this line is not a number; write +, country code, number: +3221112233"
    errors = [(Place(line, 1), text) for line in lines[:MOST_SHOWN]]
    if more := len(lines) - len(errors):
        errors.append((Place(lines[MOST_SHOWN], 1), f"{text} ({more} lines have this error, from here on)"))
    return errors
