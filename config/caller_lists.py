"""Lists of callers' numbers: callers/NAME.txt, one number a line, with comments behind a `#`."""

import re

from config.errors import NOWHERE, Place
from dialplan.caller_list import MOST_NUMBERS, CallerList

MAX_LIST_BYTES = 8_000_000
MOST_SHOWN = 20
NUMBER = re.compile(rb"\+([1-9][0-9]{6,14})[ \t\r]*(?:#.*)?")
NOTHING = re.compile(rb"[ \t\r]*(?:#.*)?")

type Wrong = list[tuple[Place, str]]


def read_list(data: bytes) -> tuple[CallerList | None, Wrong]:
    """Return the numbers in this text, or None, and its errors. 100,000 numbers take some 0.1 s.

    A wrong line is not quoted: it may be a person's number, and errors are logged.
    """
    if len(data) > MAX_LIST_BYTES:
        return None, [(NOWHERE, f"larger than {MAX_LIST_BYTES:,} bytes; split it into several lists")]
    numbers: list[int] = []
    wrong: list[int] = []
    for place, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if found := NUMBER.fullmatch(line):
            numbers.append(int(found[1]))
        elif not NOTHING.fullmatch(line):
            wrong.append(place)
    listed = CallerList.of(numbers)
    if len(listed) > MOST_NUMBERS:
        return None, [(NOWHERE, f"more than {MOST_NUMBERS:,} numbers; split it into several lists")]
    return listed, _worded(wrong)


def _worded(lines: list[int]) -> Wrong:
    what = "this line is not a number; write +, country code, number: +3221112233"
    shown = [(Place(line, 1), what) for line in lines[:MOST_SHOWN]]
    if more := len(lines) - len(shown):
        shown.append((Place(lines[MOST_SHOWN], 1), f"{what} (and so with {more} lines from here on)"))
    return shown
