"""The demo's owner, numbers and prompts, written into a folder at the start of the demo."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from devkit.audio import RATE, Samples, tone, write_wav
from devkit.carrier import Answers, Behaviour, Refuses, Rings

OPEN = "+3280012301"
BUSY_FIRST = "+3280012302"
NOBODY = "+3280012303"
CLOSED = "+3280012304"
VOICEMAIL = "+3280012305"
RECORDED = "+3280012306"
MENU = "+3280012307"

OFFICE = "+32470111221"
COLLEAGUE = "+32470111222"
ENGAGED = "+32470111223"
ABSENT = "+32470111224"
# The behaviour of the destinations' telephones, and the tone that identifies each.
TELEPHONES: dict[str, Behaviour] = {
    OFFICE: Answers(after=1, says=(600,)),
    COLLEAGUE: Answers(after=1, says=(800,)),
    ENGAGED: Refuses(486),
    ABSENT: Rings(),
}
CHIME, LOW_CHIME, CHOICE = (
    (880, 660),
    (440, 330),
    (700, 520),
)  # Hz: the prompts, so that the demo can recognise which one is played

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWNER_NAME, OWNER_MAIL = "demo", "office@demo.example"
OWNER = f"name: Demo Ltd\nlanguage: en\nmail: {OWNER_MAIL}\nmissed_calls: mail\n"
NUMBER = "number: {number}\nowner: demo\ntimezone: Europe/Brussels\nroute:\n{route}"
ROUTES = {
    OPEN: f"""\
  - announce: welcome
  - ring: {OFFICE}
""",
    BUSY_FIRST: f"""\
  - ring:
      to: {ENGAGED}
      busy:
        - ring: {COLLEAGUE}
""",
    NOBODY: f"""\
  - ring: {{to: {ABSENT}, seconds: 5}}
""",
    CLOSED: f"""\
  - hours:
      open: {{day}} 09:00-17:00
      closed:
        - announce: closed
        - hangup: closed
  - ring: {OFFICE}
""",
    VOICEMAIL: """\
  - voicemail: {}
""",
    RECORDED: f"""\
  - ring: {OFFICE}
record: announce
""",
    MENU: f"""\
  - menu:
      prompt: choose
      answer: true
      keys:
        1: [ring: {OFFICE}]
        2: [ring: {COLLEAGUE}]
  - hangup: rejected
""",
}


def write_routing(folder: Path, today: date) -> None:
    """Write the folder. The closed number is open only on the weekday three days after `today`."""
    for name in ("owners", "numbers", "prompts"):
        (folder / name).mkdir(parents=True)
    (folder / "owners" / "demo.yaml").write_text(OWNER)
    day = DAYS[(today + timedelta(days=3)).weekday()]
    for number, route in ROUTES.items():
        text = NUMBER.format(number=number, route=route.format(day=day) if "{day}" in route else route)
        (folder / "numbers" / f"n{number.removeprefix('+')}.yaml").write_text(text)
    write_wav(folder / "prompts" / "welcome.wav", chime(CHIME))
    write_wav(folder / "prompts" / "closed.wav", chime(LOW_CHIME))
    write_wav(folder / "prompts" / "choose.wav", chime(CHOICE))


def chime(hz: tuple[int, int]) -> Samples:
    """Two tones of half a second, one after the other."""
    return np.concatenate([tone((f,), RATE // 2) for f in hz])
