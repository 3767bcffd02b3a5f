"""The plain dialplan that a user would write without callengine, for calls, recordings and messages.

It is not part of asterisk/etc: the benchmark's own Asterisk loads it at its start.
"""

import re
import time
from pathlib import Path

from bench.sipp import DESTINATION, MESSAGES, NUMBER, RACE, RACERS, RECORDED
from config.prompts import VOICES
from devkit.asterisk import Asterisk
from devkit.audio import RATE, tone, write_wav
from devkit.parts import PartTrouble

# What MixMonitor hears (r) and says (t) in two files, as the engine has them before it seals them; mixed into
# one it costs the same. `b`: only while the two are connected. `u`: the mailbox's own greeting; `s`: no
# instructions after it.
DIALPLAN = """\
[inbound]
exten => {number},1,Dial({one},30)
exten => {race},1,Dial({three},30)
exten => {recorded},1,Playback({prompt},noanswer)
 same => n,MixMonitor(,br(${{UNIQUEID}}-in.wav)t(${{UNIQUEID}}-out.wav))
 same => n,Dial({one},30)
exten => {messages},1,VoiceMail(${{CALLERID(num):-2}}@default,ust({beep}))
"""
# The record of a call that a user of the plain dialplan would store.
CDR = """\
[mappings]
Master.csv => ${CSV_QUOTE(${CDR(src)})},${CSV_QUOTE(${CDR(dst)})},${CSV_QUOTE(${CDR(start)})},\
${CSV_QUOTE(${CDR(answer)})},${CSV_QUOTE(${CDR(end)})},${CSV_QUOTE(${CDR(disposition)})},${CSV_QUOTE(${CDR(uniqueid)})}
"""
# A hundred, because the cost of a folder with very many messages is not to be measured.
MAILBOXES = [f"{number:02}" for number in range(100)]
VOICEMAIL = """\
[general]
format = wav
maxsecs = 180
maxsilence = 5
silencethreshold = 128
[default]
""" + "".join(f"{mailbox} => 1234,Benchmark\n" for mailbox in MAILBOXES)
STASIS = re.compile(r"Stasis\(engine,in,.*\n")
MODULES = ("res_adsi", "res_smdi", "app_voicemail", "cdr_custom")


def lay_out(state: Path) -> None:
    """Write the files that Asterisk reads at its start."""
    etc, prompt = state / "etc", state / "prompts" / "prompt"
    for folder in (etc, prompt.parent):
        folder.mkdir(parents=True)
    write_prompt(prompt.with_suffix(".wav"))
    one, three = (dial(*numbers) for numbers in ((DESTINATION,), RACERS))
    numbers = {"number": NUMBER, "race": RACE, "recorded": RECORDED, "messages": MESSAGES}
    text = DIALPLAN.format(**numbers, one=one, three=three, prompt=prompt, beep=VOICES / "beep")
    (etc / "fallback.conf").write_text(text)
    (etc / "cdr_custom.conf").write_text(CDR)
    (etc / "voicemail.conf").write_text(VOICEMAIL)
    for mailbox in MAILBOXES:
        greeting = state / "spool" / "voicemail" / "default" / mailbox / "unavail.wav"
        greeting.parent.mkdir(parents=True)
        greeting.symlink_to(prompt.with_suffix(".wav"))


def put_behind_the_door(asterisk: Asterisk) -> None:
    """Let the door pass every call, and dial instead of Stasis(). Raises PartTrouble."""
    etc = asterisk.endpoint.etc
    whole = (etc / "extensions.conf").read_text()
    inside = STASIS.sub(lambda _: f"{dial_one()}\n", whole)
    if inside == whole:
        raise PartTrouble(f"there is no Stasis() in {etc}/extensions.conf that Dial() could replace")
    (etc / "extensions.conf").write_text(inside)
    (etc / "fallback.conf").write_text(f"[globals]\nENGINE_ALIVE={round(time.time()) + 10**6}\n")


def dial_one() -> str:
    return f"Dial({dial(DESTINATION)},30)"


def load(asterisk: Asterisk) -> None:
    """Load the modules that the dialplan needs into its Asterisk. Raises PartTrouble."""
    send_silence(asterisk)
    (asterisk.endpoint.log.parent / "cdr-custom").mkdir()
    (asterisk.endpoint.etc / "cdr.conf").write_text("[general]\nenable = yes\n")
    asterisk.cli("module reload cdr")
    for module in MODULES:
        if "Loaded" not in (output := asterisk.cli(f"module load {module}.so")):
            raise PartTrouble(f"Asterisk does not load {module}: {output}")
    if "Enabled" not in (output := asterisk.cli("cdr show status")) or "custom" not in output:
        raise PartTrouble(f"Asterisk writes no CDRs: {output}")


def send_silence(asterisk: Asterisk) -> None:
    """Restart it with silence for callers who leave a message; the engine requests that for each call."""
    settings = asterisk.endpoint.etc / "asterisk.conf"
    settings.write_text(settings.read_text().replace("transmit_silence = no", "transmit_silence = yes"))
    asterisk.cli("core stop now")
    asterisk.process.wait(timeout=10)
    asterisk.restart()
    asterisk.wait_until_ready()


def dial(*numbers: str) -> str:
    return "&".join(f"PJSIP/{number}@trunk" for number in numbers)


def write_prompt(path: Path) -> None:
    """Write the prompt that both systems play before they record: half a second."""
    write_wav(path, tone((440,), RATE // 2))
