"""How often a token may ask, and how often its reading is a line of the access log."""

from portal.api.limit import LOGGED_SECONDS, REQUESTS, WINDOW_SECONDS, Limit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_has_its_requests_each_minute_and_another_has_its_own() -> None:
    clock = Clock()
    limit = Limit(clock)
    assert {limit.wait(1) for _ in range(REQUESTS)} == {0}
    assert limit.wait(1) == WINDOW_SECONDS + 1
    assert limit.wait(2) == 0
    clock.now += WINDOW_SECONDS
    assert limit.wait(1) == 0


def test_the_first_reading_of_an_hour_is_logged() -> None:
    clock = Clock()
    limit = Limit(clock)
    assert [limit.is_first(1, what) for what in ("calls", "calls", "messages")] == [True, False, True]
    clock.now += LOGGED_SECONDS
    assert limit.is_first(1, "calls")
