"""The counts of the quota meter, as plain data."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from litellm_qwen_ai.quota.tally import QUOTA_SPENT, THROTTLED, Failure, LaterCountsError, Refusal, Tally

#: Thursday, 23:59:30 in UTC; in Beijing it is Friday already, 07:59:30.
NOW = datetime(2026, 1, 1, 23, 59, 30, tzinfo=timezone.utc).timestamp()
HOUR = 3600.0


def _tally(*times: float) -> Tally:
    tally = Tally()
    tally.add(times)
    return tally


def test_the_last_minute_slides() -> None:
    tally = _tally(NOW - 61, NOW - 59, NOW - 1, NOW)
    assert tally.last_minute(NOW) == 3
    assert tally.last_minute(NOW + 58.5) == 2
    assert tally.last_minute(NOW + 120) == 0


def test_a_day_begins_at_midnight_there_and_here() -> None:
    of_both_days, of_the_utc_day_only = NOW - 7 * HOUR, NOW - 8 * HOUR
    usage = _tally(of_both_days, of_the_utc_day_only, NOW - 24 * HOUR).usage(NOW)
    assert (usage.requests_today, usage.requests_today_utc) == (1, 2)
    assert (usage.day_zone, usage.day_ends_at) == ("Asia/Shanghai", "2026-01-02T16:00:00+00:00")


def test_after_midnight_utc_the_utc_day_is_new_and_beijings_is_not() -> None:
    usage = _tally(NOW).usage(NOW + 60)
    assert (usage.requests_today, usage.requests_today_utc) == (1, 0)


@pytest.mark.parametrize(
    ("refusal", "until", "source"),
    [
        (Refusal(NOW, NOW + 30, THROTTLED), "2026-01-02T00:00:00+00:00", "server"),
        (Refusal(NOW, None, THROTTLED), "2026-01-02T00:00:30+00:00", "assumed"),
        (Refusal(NOW, None, QUOTA_SPENT), "2026-01-02T16:00:00+00:00", "assumed"),
    ],
    ids=["named", "throttled", "spent"],
)
def test_a_refusal_ends_when_the_server_says_or_when_it_is_assumed_to(
    refusal: Refusal, until: str, source: str
) -> None:
    tally = Tally()
    tally.refuse(refusal)
    usage = tally.usage(NOW + 1)
    assert (usage.limited, usage.limited_until, usage.limited_until_source) == (True, until, source)
    assert (usage.limited_reason, usage.refused_today) == (refusal.reason, 1)
    after = tally.usage(refusal.ends_at())
    assert (after.limited, after.limited_until, after.limited_reason) == (False, None, None)


def test_an_accepted_request_ends_a_refusal_early() -> None:
    tally = Tally()
    tally.refuse(Refusal(NOW, None, QUOTA_SPENT, over=True))
    assert not tally.usage(NOW + 1).limited


def test_what_two_processes_count_adds_up_and_the_later_refusal_stands() -> None:
    one, other = _tally(NOW, NOW - 5), _tally(NOW)
    one.refuse(Refusal(NOW, None, THROTTLED))
    other.refuse(Refusal(NOW - 1, None, QUOTA_SPENT))
    one.merge(other)
    usage = one.usage(NOW)
    assert (usage.requests_last_minute, usage.requests_today, usage.refused_today) == (3, 3, 2)
    assert usage.limited_reason == THROTTLED


def test_of_two_failures_the_later_one_stands() -> None:
    one, other = Tally(failure=Failure(NOW, "late")), Tally(failure=Failure(NOW - 1, "early"))
    one.merge(other)
    other.merge(one)
    assert one.failure == other.failure == Failure(NOW, "late")


def test_what_is_old_or_of_a_wrong_clocks_future_is_forgotten() -> None:
    tally = _tally(NOW, NOW - 61, NOW - 49 * HOUR, NOW + 9999 * HOUR)
    for moment in (NOW - 60 * HOUR, NOW, NOW + 60 * HOUR):
        tally.refuse(Refusal(moment, None, THROTTLED))
    tally.prune(NOW)
    assert (len(tally.seconds), len(tally.hours), len(tally.refused)) == (1, 1, 1)
    assert tally.usage(NOW).requests_today_utc == 2


def test_the_form_on_disk_is_read_back() -> None:
    tally = _tally(NOW, NOW)
    tally.refuse(Refusal(NOW, NOW + 1.5, THROTTLED))
    tally.failure = Failure(NOW, "It broke.", login_ended=True)
    assert Tally.from_json(tally.to_json(), "file") == tally
    assert Tally.from_json(Tally().to_json(), "file") == Tally()


BASE = '{"format": 1, "seconds": {}, "hours": {}, "refused": {}, "refusal": '


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 0, "seconds": {}, "hours": {}, "refused": {}}',
        '{"format": "2", "seconds": {}, "hours": {}, "refused": {}}',
        '{"format": 1, "seconds": [], "hours": {}, "refused": {}}',
        '{"format": 1, "seconds": {"x": 1}, "hours": {}, "refused": {}}',
        '{"format": 1, "seconds": {}, "hours": {"1": -1}, "refused": {}}',
        '{"format": 1, "seconds": {}, "hours": {"1": true}, "refused": {}}',
        BASE + '{"at": 1}}',
        BASE + 'null, "failure": {"at": 1, "text": 2, "login_ended": false}}',
        BASE + 'null, "failure": "x"}',
        BASE + '{"at": NaN, "until": null, "reason": "throttled", "over": false}}',
        BASE + '{"at": 1, "until": 1e300, "reason": "throttled", "over": false}}',
        BASE + '{"at": 1, "until": null, "reason": "<script>", "over": false}}',
    ],
)
def test_anything_else_on_disk_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Tally.from_json(text.encode(), "file")


def test_what_a_later_version_keeps_is_told_from_that() -> None:
    with pytest.raises(LaterCountsError, match=r"keeps the counts in file \(format 2\)"):
        Tally.from_json(b'{"format": 2}', "file")
