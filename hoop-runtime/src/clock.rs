//! The one place that reads the clock.

use hoopcore::Timestamp;

/// The time of the wall clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}
