//! The tests that a policy brings along: who asks what, and what is to come out.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use jiff::Timestamp;

use crate::command::Asked;
use crate::decision::Verdict;
use crate::identity::Identity;
use crate::resource::Resource;

/// One case of `expect:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The file that holds it, where it came from one.
    pub file: Option<Arc<str>>,
    /// The line it begins on, counted from one.
    pub line: u32,
    /// Who asks.
    pub who: Identity,
    /// On what.
    pub on: Resource,
    /// What is asked.
    pub asked: Asked,
    /// Values bound to its parameters, where the case gives them.
    pub parameters: Option<Vec<Option<String>>>,
    /// The search path, where the case gives one; else it is `public`.
    pub search_path: Option<Vec<String>>,
    /// The time, where the case gives one.
    pub now: Option<Timestamp>,
    /// Where the caller's connection comes from, where the case says so.
    pub source: Option<IpAddr>,
    /// The verdict to come out.
    pub verdict: Verdict,
    /// The deciding rule, where the case names one.
    pub rule: Option<String>,
    /// The columns that are masked, where the case lists them.
    pub masked: Option<Vec<String>>,
}
