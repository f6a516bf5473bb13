//! Windows of time: days of the week and hours, in a time zone.

use alloc::string::String;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

/// Hours on days of the week. The end is not part of it; a window over midnight belongs to the day it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(super) days: Days,
    /// Whole days, where it is absent.
    pub(super) hours: Option<(Time, End)>,
    pub(super) zone: TimeZone,
    /// The zone as it was written.
    pub(super) zone_name: String,
}

/// When a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    At(Time),
    /// `24:00`.
    Midnight,
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days(u8);

impl Days {
    pub(super) const ALL: Self = Self(0x7f);
    pub(super) const WORDS: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    pub(super) const fn none() -> Self {
        Self(0)
    }

    /// The set with the days from one to another, both counted from Monday as zero, over Sunday where needed.
    pub(super) fn with(self, from: usize, to: usize) -> Self {
        let count = (to + 7 - from) % 7 + 1;
        (from..from + count).fold(self, |days, day| Self(days.0 | 1 << (day % 7)))
    }

    /// Its days in the order of the week.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let days = Self::WORDS.into_iter().enumerate();
        days.filter(move |(day, _)| self.0 & 1 << day != 0).map(|(_, word)| word)
    }

    fn has(self, day: Weekday) -> bool {
        self.0 & 1 << day.to_monday_zero_offset() != 0
    }
}

impl Window {
    /// The moments at which it may begin or end, in a winter and in a summer week.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Timestamp> {
        let (from, to) = match self.hours {
            None | Some((_, End::Midnight)) => {
                (self.hours.map_or(Time::midnight(), |(from, _)| from), Time::midnight())
            }
            Some((from, End::At(to))) => (from, to),
        };
        let days = [jiff::civil::date(2024, 1, 8), jiff::civil::date(2024, 7, 8)];
        let days = days
            .into_iter()
            .flat_map(|first| (0..8).filter_map(move |day| first.checked_add(jiff::Span::new().days(day)).ok()));
        let moment = |(day, time): (jiff::civil::Date, Time)| self.zone.to_timestamp(day.to_datetime(time)).ok();
        days.flat_map(move |day| [(day, from), (day, to)]).filter_map(moment)
    }

    /// Whether a moment lies in it.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now);
        let (day, time) = (local.date().weekday(), local.time());
        match self.hours {
            None => self.days.has(day),
            Some((from, End::Midnight)) => self.days.has(day) && from <= time,
            Some((from, End::At(to))) if from < to => self.days.has(day) && from <= time && time < to,
            Some((from, End::At(to))) => {
                (self.days.has(day) && from <= time) || (self.days.has(day.previous()) && time < to)
            }
        }
    }
}

/// A time of day as `08:00`.
pub(super) fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| (digits.len() == 2).then(|| digits.parse::<i8>().ok()).flatten();
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// When a window ends, as `18:00` or `24:00`.
pub(super) fn parse_end(text: &str) -> Option<End> {
    if text == "24:00" { Some(End::Midnight) } else { parse_time(text).map(End::At) }
}
