"""Who speaks in a sound, and for how long: every packet of a telephone names it (traffic/media.py)."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from devkit.audio import RATE, Samples, alaw, tone
from tests.live.mails import from_alaw
from tests.live.traffic.media import FRAME, FRAME_SECONDS, NAME

KNOWN = alaw(tone((600,), FRAME))[NAME.size :]  # what is the same in each packet
PROBE = KNOWN[: RATE // 100]  # 10 ms of it: stands nowhere by chance
PLAIN = (PROBE, from_alaw(PROBE).astype("<i2").tobytes())  # on the line, and as samples


def voices_in(line: bytes) -> Mapping[int, float]:
    """The seconds of each telephone in this sound, of A-law."""
    frames: Counter[int] = Counter()
    at = line.find(KNOWN)
    while at >= 0:
        if at >= NAME.size:
            frames[NAME.unpack_from(line, at - NAME.size)[0]] += 1
        at = line.find(KNOWN, at + len(KNOWN))
    return {name: count * FRAME_SECONDS for name, count in frames.items()}


def voices_of(*sides: Samples) -> Mapping[int, float]:
    """The same of samples as Asterisk makes them of A-law; of several sides together."""
    found: dict[int, float] = defaultdict(float)
    for side in sides:
        for name, seconds in voices_in(alaw(side)).items():
            found[name] += seconds
    return found


def is_heard_in(data: bytes) -> bool:
    """Whether a telephone is heard in these bytes, in plain: on the line, as samples, or interleaved."""
    if any(piece in data for piece in PLAIN):
        return True
    views = [np.frombuffer(data[at : len(data) - (len(data) - at) % 4], "<u2") for at in (0, 1)]
    sides = (view[which::2].tobytes() for view in views for which in (0, 1))
    return any(PLAIN[1] in side for side in sides)
