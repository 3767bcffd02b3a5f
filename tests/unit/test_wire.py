"""The carrier's reading of SIP: enough to know a call and to refuse it."""

from hypothesis import given
from hypothesis import strategies as st

from devkit.wire import Message

INVITE = (
    b"INVITE sip:+32470111222@127.0.0.1:5070;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    b"v: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK2\r\n"
    b'f: "A: B" <sip:+3225551234@127.0.0.1>;tag=a1\r\n'
    b"To: <sip:+32470111222@127.0.0.1>\r\n"
    b"i: abc@host\r\n"
    b"CSeq: 17 INVITE\r\n"
    b"Privacy: user\r\nprivacy: id\r\n"
    b"\r\nv=0\r\nt: not a header\r\n"
)


def test_a_request_is_known_by_its_method_number_and_transaction() -> None:
    invite = Message.read(INVITE)
    assert (invite.method, invite.number) == ("INVITE", "+32470111222")
    assert invite.transaction == ("abc@host", "17")
    cancel = Message.read(INVITE.replace(b"INVITE", b"CANCEL"))
    assert cancel.transaction == invite.transaction


def test_headers_are_found_by_any_spelling_and_the_body_is_no_header() -> None:
    invite = Message.read(INVITE)
    assert invite.all("Privacy") == ["user", "id"]
    assert invite.one("From") == '"A: B" <sip:+3225551234@127.0.0.1>;tag=a1'
    assert invite.all("To") == ["<sip:+32470111222@127.0.0.1>"]
    assert invite.one("Subject") == ""


def test_a_reply_goes_back_the_way_the_request_came_and_names_our_end() -> None:
    reply = Message.read(Message.read(INVITE).reply(486, tag="ours"))
    assert reply.start == "SIP/2.0 486 Busy Here"
    assert reply.method == ""
    assert [via.partition("branch=")[2] for via in reply.all("Via")] == ["z9hG4bK1", "z9hG4bK2"]
    assert reply.one("To") == "<sip:+32470111222@127.0.0.1>;tag=ours"
    assert reply.transaction == ("abc@host", "17")


@given(st.binary())
def test_what_is_no_sip_is_read_without_an_error(data: bytes) -> None:
    message = Message.read(data)
    assert len(message.method) <= len(message.text)
    assert message.number in message.text
