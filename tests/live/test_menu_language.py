"""The language that a caller chooses in a menu: that of a voicemail's greeting, and of its mail."""

from tests.live.agreed import FRENCH_WELCOME, PROMPTS
from tests.live.mails import BEEP_HZ, hang_up_after, mail_to, speech, write_owner
from tests.live.service import Service, until


async def test_a_language_holds_for_the_voicemail_and_its_mail(service: Service) -> None:
    address = write_owner(service.house, "hears-french")
    menu = {"prompt": "closed", "languages": {"1": "nl", "2": "fr"}}
    (number,) = service.house.agree([{"menu": menu}, {"voicemail": "welcome"}], owner="hears-french")
    caller = await service.call(number, says=())
    await caller.hears(PROMPTS["closed"])
    await caller.press("2")
    await caller.hears(FRENCH_WELCOME)
    await caller.hears(BEEP_HZ)
    await until(lambda: caller.level(BEEP_HZ, last=0.1) < 0.02)
    caller.play(speech(3))
    await hang_up_after(caller)
    await caller.wait_ended()
    (mail,) = await mail_to(service.house, address)
    assert mail.message["Subject"].startswith("Message vocal pour le")
    assert "Choix dans le menu" in mail.text
