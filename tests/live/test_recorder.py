"""The dialplan's recorder, without an engine: nothing before the announcement was heard, none of a pause."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy as np
import pytest

from devkit.asterisk import Asterisk
from devkit.audio import RATE, level, tone, write_wav
from devkit.wire import Message
from storage.marks import Marker
from storage.parts import Line, lay
from storage.spool import Spool
from tests.lateness import late
from tests.live.ari import ask
from tests.live.recordings import sides
from tests.live.sip import Agent, Call, Ringing, eventually, media_of
from tests.live.voices import Voice, voice

TO = "+3247000777"
CALLER, DESTINATION, CARD, PROMPT = 400, 600, 800, 1000  # Hz
PROMPT_SECONDS = 0.5
HEARD, ABSENT = 0.1, 0.02  # of a tone of 0.3, in which the voices of a busy machine leave gaps
NEAR = 0.1  # s
SETTINGS = """\
[inbound]
exten => 32809{n},1,Set(_REC_FILE={file})
 same => n,Set(_REC_PROMPT={prompt})
 same => n,Set(_REC_PROMPT_MS={ms})
 same => n,Set(_REC_PAUSE_SECONDS={pause})
 same => n,Set(_REC_STOP={stop})
 same => n,Set(CONNECT_TO=PJSIP/{to}@trunk)
 same => n,Set(CONNECT_SECONDS=20)
 same => n,Set(CONNECT_LIMIT=60)
 same => n,Set(CONNECT_OPTIONS=U(recorder^s^1))
 same => n,Goto(connect,s,1)
"""


@dataclass
class Talk:
    """A call whose destination has answered, and the voices of the two."""

    asterisk: Asterisk
    audio_id: str
    call: Call
    ringing: Ringing
    caller: Voice
    destination: Voice

    def answered(self) -> Self:
        """Once the two are put through."""
        assert self.call.final() == 200
        assert self.call.answer
        self.caller.to = media_of(self.call.answer.text)
        return self

    def hung_up(self) -> Self:
        self.call.hang_up()
        self.ringing.gone()
        assert eventually(lambda: "LINKEDID_END" in self._cel())
        return self

    def told(self, event: str) -> list[dict[str, str]]:
        """What was told of such events, in their order."""
        found = re.findall(rf'^"{event}",.*?""extra"":""([^"]*)""', self._cel(), re.MULTILINE)
        return [dict(pair.split("=") for pair in extra.split()) for extra in found]

    def happened(self, event: str, count: int = 1) -> dict[str, str]:
        assert eventually(lambda: len(self.told(event)) >= count), self._cel()
        return self.told(event)[count - 1]

    def recorded(self) -> Line:
        """The parts on the line of time, when all of them are closed."""
        begun, ended = (int(self.happened(kind)["at"]) for kind in ("REC_START", "REC_END"))
        return lay(Spool(self.asterisk.endpoint.recordings).read_parts(self.audio_id), (ended - begun) / 1000)

    def _cel(self) -> str:
        return self.asterisk.endpoint.cel.read_text()


class CallServices:
    """Places calls that are recorded, each with settings of its own."""

    def __init__(self, asterisk: Asterisk, carrier: Agent, folder: Path, held: ExitStack) -> None:
        self._asterisk, self._carrier, self._folder, self._held = asterisk, carrier, folder, held
        self._count = 0
        write_wav(folder / "prompt.wav", tone((PROMPT,), round(PROMPT_SECONDS * RATE)))

    def picked_up(
        self, *, prompt: str | None = "prompt", ms: int = 500, pause: int = 60, may_stop: bool = False
    ) -> Talk:
        """A caller, and a destination that has answered and speaks; `prompt` None: it knows already."""
        self._count += 1
        audio_id = f"{uuid4()}-rec1"
        settings = SETTINGS.format(
            n=self._count,
            file=audio_id,
            prompt=self._folder / prompt if prompt else "",
            ms=ms,
            pause=pause,
            stop="1" if may_stop else "",
            to=TO,
        )
        set_up(self._asterisk, settings)
        caller, destination = (self._held.enter_context(voice(hz)) for hz in (CALLER, DESTINATION))
        telephone = self._held.enter_context(Agent())
        sip = self._asterisk.endpoint.sip
        call = Call(telephone, sip, f"32809{self._count}", media_port=caller.port).invite()
        ringing = Ringing.wait(self._carrier, sip, TO)
        ringing.media_port = destination.port
        ringing.ring()
        destination.to = media_of(ringing.invite.text)
        ringing.pick_up()
        return Talk(self._asterisk, audio_id, call, ringing, caller, destination)


@pytest.fixture
def services(asterisk: Asterisk, carrier: Agent, tmp_path: Path, empty: None) -> Iterator[CallServices]:
    """For one call. Afterwards Asterisk has none, and its dialplan is the ordinary one."""
    asterisk.endpoint.cel.write_text("")
    with ExitStack() as held:
        yield CallServices(asterisk, carrier, tmp_path, held)
    set_up(asterisk, "")


def set_up(asterisk: Asterisk, text: str) -> None:
    (asterisk.endpoint.etc / "fallback.conf").write_text(text)
    ask(asterisk.endpoint, "/asterisk/modules/pbx_config.so", "PUT")


def near() -> float:
    """Seconds by which a length may be off: the recorder has no clock, and the voices here are late."""
    return NEAR + late().total_seconds()


def apart(one: dict[str, str], other: dict[str, str]) -> float:
    return (int(other["at"]) - int(one["at"])) / 1000


def test_once_the_announcement_was_heard_both_sides_are_recorded_each_for_itself(
    services: CallServices,
) -> None:
    talk = services.picked_up().answered()
    time.sleep(1.5)  # so long they talk
    line = talk.hung_up().recorded()
    informed, begun, ended = (talk.happened(kind) for kind in ("INFORMED", "REC_START", "REC_END"))
    assert informed["result"] == "SUCCESS"
    assert float(informed["ended"]) - float(informed["began"]) == pytest.approx(PROMPT_SECONDS, abs=near())
    assert int(begun["at"]) / 1000 >= float(informed["ended"]) - 0.001
    assert line.length / RATE == pytest.approx(apart(begun, ended), abs=near())
    caller, destination = sides(line)
    assert level(caller[RATE // 2 :], CALLER) > HEARD
    assert level(destination[RATE // 2 :], DESTINATION) > HEARD
    assert level(caller[RATE // 2 :], DESTINATION) < ABSENT
    assert level(destination[RATE // 2 :], CALLER) < ABSENT
    assert max(level(caller, PROMPT), level(destination, PROMPT)) < ABSENT


def test_nothing_of_a_pause_is_recorded_and_the_time_is_kept(services: CallServices) -> None:
    talk = services.picked_up(prompt=None).answered()
    time.sleep(0.5)  # so long they talk
    talk.destination.press("*1")
    begun, paused = talk.happened("REC_START"), talk.happened("REC_PAUSE")
    talk.destination.hz = talk.caller.hz = CARD
    before = talk.destination.packets
    assert eventually(lambda: talk.destination.packets - before >= 50)  # 1 s: they go on talking
    talk.destination.hz, talk.caller.hz = DESTINATION, CALLER
    talk.destination.press("*1")
    resumed = talk.happened("REC_RESUME")
    time.sleep(1)  # so long they talk
    line = talk.hung_up().recorded()
    assert resumed["how"] == "key"
    assert talk.caller.keys == ""
    assert line.length / RATE == pytest.approx(apart(begun, talk.happened("REC_END")), abs=near())
    quiet = [round(apart(begun, it) * RATE) for it in (paused, resumed)]
    for side, hz in zip(sides(line), (CALLER, DESTINATION), strict=True):
        assert level(side, CARD) < ABSENT
        assert not np.any(side[quiet[0] + round(NEAR * RATE) : quiet[1]])
        assert level(side[quiet[1] + round(NEAR * RATE) :], hz) > HEARD


def test_time_in_which_neither_side_sends_is_silence_where_it_was(services: CallServices) -> None:
    talk = services.picked_up(prompt=None).answered()
    watch(talk, 1.2)
    talk.caller.hz = talk.destination.hz = None
    watch(talk, 1.5)
    talk.caller.hz, talk.destination.hz = CALLER, DESTINATION
    watch(talk, 1.5)
    line = talk.hung_up().recorded()
    lasted = apart(talk.happened("REC_START"), talk.happened("REC_END"))
    assert line.missing == pytest.approx(1.5, abs=0.1 + near())
    assert line.length / RATE == pytest.approx(lasted, abs=0.1 + near())
    for side, hz in zip(sides(line), (CALLER, DESTINATION), strict=True):
        assert level(side[RATE // 2 : RATE], hz) > HEARD
        assert level(side[-RATE:], hz) > HEARD


def watch(talk: Talk, seconds: float) -> None:
    """Note meanwhile how far the recording has come, as the worker does."""
    marker, until = Marker(talk.asterisk.endpoint.recordings), time.monotonic() + seconds
    while time.monotonic() < until:
        marker.look()
        time.sleep(0.1)


def test_a_pause_that_nobody_ends_ends_by_itself(services: CallServices) -> None:
    talk = services.picked_up(prompt=None, pause=1).answered()
    talk.destination.press("*1")
    paused = talk.happened("REC_PAUSE")
    time.sleep(2)  # longer than the pause
    talk.destination.press("*1")
    talk.happened("REC_PAUSE", 2)
    (resumed,) = talk.told("REC_RESUME")
    caller, _ = sides(talk.hung_up().recorded())
    assert resumed == {"how": "auto", "at": paused["until"]}
    assert apart(paused, resumed) == pytest.approx(1, abs=0.001)
    begins = round(apart(talk.happened("REC_START"), resumed) * RATE)
    assert not np.any(caller[begins - RATE // 2 : begins])
    assert level(caller[begins + round(NEAR * RATE) : begins + RATE // 2], CALLER) > HEARD


def test_the_caller_stops_it_for_good_where_they_may(services: CallServices) -> None:
    talk = services.picked_up(prompt=None, may_stop=True).answered()
    time.sleep(0.5)  # so long they talk
    talk.caller.press("*9")
    stopped = talk.happened("REC_STOP")
    talk.destination.press("*1")
    talk.caller.press("7")
    assert eventually(lambda: talk.destination.keys == "7")
    talk.hung_up()
    assert talk.told("REC_PAUSE") == talk.told("REC_END") == []
    (part,) = Spool(talk.asterisk.endpoint.recordings).read_parts(talk.audio_id)
    seconds = apart(talk.happened("REC_START"), stopped)
    assert len(part.frames) / RATE == pytest.approx(seconds, abs=near())


def test_where_the_caller_may_not_stop_it_their_keys_are_the_destination_s(services: CallServices) -> None:
    talk = services.picked_up(prompt=None).answered()
    talk.caller.press("*9")
    assert eventually(lambda: talk.destination.keys == "*9")
    talk.hung_up()
    assert talk.told("REC_STOP") == []


@pytest.mark.parametrize(("prompt", "ms", "result"), [("nowhere", 500, "FAILED"), ("prompt", 700, "SHORT")])
def test_what_was_not_heard_to_its_end_starts_no_recording(
    services: CallServices, prompt: str, ms: int, result: str
) -> None:
    talk = services.picked_up(prompt=prompt, ms=ms).answered()
    time.sleep(0.3)  # so long they talk
    talk.hung_up()
    assert talk.happened("INFORMED")["result"] == result
    assert talk.told("REC_START") == []
    assert Spool(talk.asterisk.endpoint.recordings).read_parts(talk.audio_id) == []


def test_who_hangs_up_when_told_has_not_taken_the_call(services: CallServices, carrier: Agent) -> None:
    talk = services.picked_up()
    carrier.send(bye(talk.ringing), talk.asterisk.endpoint.sip)
    assert talk.call.final() >= 400  # there is neither an engine nor a fallback
    assert talk.happened("INFORMED")["result"] == "LEFT"
    assert talk.happened("BACK")["status"] == "BUSY"
    assert talk.told("REC_START") == []


def bye(ringing: Ringing) -> str:
    """A BYE of the one who was called."""
    invite: Message = ringing.invite
    lines = [
        f"BYE {invite.one('contact').strip('<>').partition('>')[0]} SIP/2.0",
        f"Via: SIP/2.0/UDP {ringing.agent.address};branch=z9hG4bK{uuid4().hex};rport",
        "Max-Forwards: 70",
        f"From: {invite.one('to')};tag={ringing.tag}",
        f"To: {invite.one('from')}",
        f"Call-ID: {invite.one('call-id')}",
        "CSeq: 9 BYE",
        "Content-Length: 0",
    ]
    return "\r\n".join(lines) + "\r\n\r\n"
