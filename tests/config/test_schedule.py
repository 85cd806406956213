"""Schedules mean what cron means, and every daemon computes the same instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.config.schedule import CatchUp, Schedule, check_cron, weekdays

WEDNESDAY = datetime(2026, 7, 1, 12, 7, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "sun"),
        ("7", "sun"),
        ("1", "mon"),
        ("6", "sat"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("5-7", "sun,fri,sat"),
        ("0-7", "sun,mon,tue,wed,thu,fri,sat"),
        ("1,3", "mon,wed"),
        ("*/2", "sun,tue,thu,sat"),
        ("1-5/2", "mon,wed,fri"),
        ("1/2", "mon,wed,fri"),
        ("MON-Fri", "mon,tue,wed,thu,fri"),
        ("fri-sun", "sun,fri,sat"),
        ("sat,sun,2", "sun,tue,sat"),
        ("*", "*"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(field: str, days: str) -> None:
    assert weekdays(field) == days


@pytest.mark.parametrize("field", ["8", "5-1", "*/0", "1-", "foo", "1,,2", "", "٣"])
def test_weekdays_that_do_not_exist_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="weekday"):
        weekdays(field)


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("0 9 * * 1", "2026-07-06T09:00"),  # the next Monday
        ("0 9 * * 0", "2026-07-05T09:00"),
        ("0 9 * * 7", "2026-07-05T09:00"),
        ("0 9 * * mon", "2026-07-06T09:00"),
        ("0 9 * * 4-5", "2026-07-02T09:00"),
        ("*/15 * * * *", "2026-07-01T12:15"),
        ("0 0 1 1 *", "2027-01-01T00:00"),
        ("0 0 29 feb *", "2028-02-29T00:00"),
        ("0 0 10 * 5", "2026-07-03T00:00"),  # the 10th or a Friday, as cron has it
        ("0 0 2 * 5", "2026-07-02T00:00"),
        ("0 0 */2 * 5", "2026-07-03T00:00"),  # with a star it is both: Friday, and an odd day
    ],
)
def test_cron_means_what_cron_means(cron: str, first: str) -> None:
    assert Schedule(cron=cron).next_after(None, WEDNESDAY) == at(first)


@pytest.mark.parametrize(
    "cron", ["* * * *", "* * * * * *", "60 * * * *", "0 24 * * *", "x * * * *", "@daily", "0 0 0 * *"]
)
def test_what_is_not_cron_is_refused_without_repeating_it(cron: str) -> None:
    with pytest.raises(ValueError, match="cron") as caught:
        check_cron(cron, "UTC")
    assert cron not in str(caught.value)


def test_cron_is_read_in_its_timezone_in_summer_and_winter() -> None:
    schedule = Schedule(cron="30 9 * * *", timezone="Europe/Oslo")
    assert schedule.next_after(None, at("2026-07-01T00:00")) == at("2026-07-01T07:30")
    assert schedule.next_after(None, at("2026-01-01T00:00")) == at("2026-01-01T08:30")


@pytest.mark.parametrize("day", ["2025-03-30T00:00", "2025-10-26T00:00"])
def test_a_change_of_the_clock_neither_stops_nor_turns_back_a_schedule(day: str) -> None:
    schedule = Schedule(cron="*/20 * * * *", timezone="Europe/Oslo")
    instant = at(day)
    for _ in range(24):
        following = schedule.next_after(instant, instant)
        assert following == instant + timedelta(minutes=20)
        instant = following


def test_a_time_that_the_clock_skips_comes_later_by_as_much_as_was_skipped() -> None:
    schedule = Schedule(cron="30 2 * * *", timezone="Europe/Oslo")
    for day, expected in (("2025-03-29", "2025-03-30T03:30:00+02:00"), ("2026-03-28", "2026-03-29T03:30:00+02:00")):
        instant = schedule.next_after(None, at(f"{day}T12:00"))
        assert instant is not None
        assert instant.astimezone(ZoneInfo("Europe/Oslo")).isoformat() == expected


def test_a_time_that_comes_twice_when_the_clock_is_put_back_counts_once() -> None:
    nightly = Schedule(cron="15 2 * * *", timezone="Europe/Oslo")
    first, then = at("2025-10-26T00:15"), at("2025-10-27T01:15")
    assert nightly.next_after(None, at("2025-10-25T12:00")) == first
    assert nightly.next_after(first, first) == then
    assert nightly.next_after(first - timedelta(days=1), at("2025-10-26T02:00")) == first
    # Every quarter of an hour means each that passes, though.
    often = Schedule(cron="*/15 * * * *", timezone="Europe/Oslo")
    assert often.next_after(first, first) == first + timedelta(minutes=15)
    assert often.next_after(at("2025-10-26T01:00"), at("2025-10-26T01:00")) == at("2025-10-26T01:15")


def test_intervals_are_counted_from_the_epoch_so_that_all_daemons_agree() -> None:
    schedule = Schedule(every=7200.0)
    assert schedule.next_after(None, WEDNESDAY) == at("2026-07-01T14:00")
    assert schedule.next_after(None, at("2026-07-01T14:00")) == at("2026-07-01T14:00")
    assert schedule.next_after(at("2026-07-01T12:00"), WEDNESDAY) == at("2026-07-01T14:00")
    assert schedule.next_after(at("2026-07-01T12:03"), WEDNESDAY) == at("2026-07-01T14:00")


def test_an_instant_that_comes_less_than_a_second_after_the_beginning_is_not_passed_over() -> None:
    began = at("2026-07-01T11:59:59.400")
    for schedule in (Schedule(every=7200.0), Schedule(cron="0 12 * * *")):
        assert schedule.next_after(began, began) == at("2026-07-01T12:00")


def test_after_a_pause_only_the_latest_instant_is_due() -> None:
    month_ago = WEDNESDAY - timedelta(days=30)
    assert Schedule(every=7200.0).next_after(month_ago, WEDNESDAY) == at("2026-07-01T12:00")
    assert Schedule(cron="* * * * *").next_after(month_ago, WEDNESDAY) == at("2026-07-01T12:07")
    assert Schedule(cron="0 9 * * 1").next_after(month_ago, WEDNESDAY) == at("2026-06-29T09:00")


def test_skip_waits_for_the_next_instant_but_not_past_one_that_is_just_due() -> None:
    schedule = Schedule(every=7200.0, catch_up=CatchUp.SKIP)
    noon = at("2026-07-01T12:00")
    assert schedule.next_after(noon - timedelta(days=30), WEDNESDAY) == at("2026-07-01T14:00")
    assert schedule.next_after(noon - timedelta(hours=2), noon) == noon
    assert schedule.next_after(noon - timedelta(hours=2), noon + timedelta(seconds=59)) == noon


def test_a_schedule_that_follows_another_definition_has_no_instants() -> None:
    assert Schedule(after="big_spenders").next_after(None, WEDNESDAY) is None


@settings(deadline=None)
@given(
    schedule=st.sampled_from(
        [
            Schedule(every=1.0),
            Schedule(every=7.0),
            Schedule(every=86400.0 * 3),
            Schedule(cron="*/7 1-3 * * 1-5", timezone="America/New_York"),
            Schedule(cron="0 0 1 * 1", timezone="Europe/Oslo"),
            Schedule(cron="59 23 31 12 *"),
        ]
    ),
    last=st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    gap=st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_the_instant_due_is_after_the_last_one_and_none_lies_between_it_and_now(
    schedule: Schedule, last: datetime, gap: timedelta
) -> None:
    last = last.replace(microsecond=0)
    now = last + gap
    due = schedule.next_after(last, now)
    assert due is not None
    assert due > last
    following = schedule.next_after(None, due + timedelta(seconds=1))
    assert due > now or (following is not None and following > now)
    assert schedule.next_after(None, due) == due
