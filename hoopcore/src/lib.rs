//! Decides, without any I/O, what a caller may do to a resource and what of the answer it may see.
//!
//! The contract on one page: a [`Policy`] judges a [`Command`] that a [`Verified`] identity sends to a
//! [`Resource`] and gives a [`Decision`]. The decision's outcome stays out of reach until its [`Event`] was
//! recorded; a permit is spent once, and what comes back passes through the maskers that it carries.
//!
//! ```text
//! Request ─evaluate─▶ Decision ─record─▶ Outcome::Allow(Permit) ─spend─▶ Passage ─rows─▶ RowMasker
//!                                        Outcome::Approve(PendingApproval) ─resume─▶ Decision
//!                                        Outcome::Block(Denial)             Passage ─close─▶ Event
//! ```
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

extern crate alloc;

pub mod approver;
pub mod audit;
pub mod command;
pub mod copy;
mod decide;
pub mod decision;
pub mod grant;
#[cfg(feature = "http")]
pub mod http;
pub mod identity;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod limit;
mod listed;
pub mod mask;
pub mod name;
pub mod parameters;
pub mod policy;
pub mod request;
pub mod resource;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "ssh")]
pub mod ssh;
pub mod truth;

pub use audit::{AuditFailure, Completion, Event, Receipt};
pub use command::{Command, Coverage, Effect};
pub use decision::{Answer, Decision, Denial, Explanation, Outcome, Passage, PendingApproval, Permit, Sealed, Verdict};
pub use grant::{Draw, Grant};
pub use identity::{Identity, IdentityKind, Verified};
pub use jiff::Timestamp;
pub use limit::{Limit, Limits, Meter, RateCounter, Rates};
pub use mask::{Layout, RowMasker, RowVerdict};
pub use name::{ColumnName, QualifiedName};
pub use policy::{Policy, PolicyErrors, PolicySession};
pub use request::{Call, Request, SessionFacts};
pub use resource::{Resource, ResourceKind};
pub use truth::Truth;
