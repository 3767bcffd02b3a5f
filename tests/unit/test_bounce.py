"""What a mail that comes back says: reports of all kinds, and mails that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.bounce import Report, ReportStatus, read_report

REPORT = """\
From: MAILER-DAEMON@mail.example
To: vm+1=2@provider.example
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example

Final-Recipient: rfc822; office@acme.example
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1
 unknown here

--b
Content-Type: text/rfc822-headers

Subject: Voicemail

--b--
"""


def report(action: str) -> bytes:
    return REPORT.format(action=action, subject=action).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("action", "news"),
    [
        ("failed", Report(ReportStatus.FAILED, "smtp; 550 5.1.1 unknown here")),
        ("Failed ", Report(ReportStatus.FAILED, "smtp; 550 5.1.1 unknown here")),
        ("delivered", Report(ReportStatus.ARRIVED)),
        ("delayed", Report(ReportStatus.NOTHING)),
        ("relayed", Report(ReportStatus.NOTHING)),
        ("expanded", Report(ReportStatus.NOTHING)),
    ],
)
def test_a_report_by_the_rules(action: str, news: Report) -> None:
    assert read_report(report(action), "") == news


def test_prose_without_a_sender_means_it_has_failed() -> None:
    prose = b"Subject: failure notice\r\n\r\nHi. This is the qmail-send program.\r\n"
    assert read_report(prose, "").status is ReportStatus.FAILED
    assert read_report(prose, "<>").status is ReportStatus.FAILED


def test_a_holiday_is_no_failure() -> None:
    away = b"Subject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
    assert read_report(away, "").status is ReportStatus.NOTHING
    thanks = b"Subject: Re: Voicemail\r\n\r\nThanks!\r\n"
    assert read_report(thanks, "office@acme.example").status is ReportStatus.NOTHING


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda junk: report("failed")[:400] + junk))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    assert read_report(content, "office@acme.example").status in ReportStatus
