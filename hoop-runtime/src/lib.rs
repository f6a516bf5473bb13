//! The I/O that hoop's gateways share: configuration, audit trail, approvals.
//!
//! A gateway opens one [`Gateway`] from its [`Config`], lets each client in with [`Gateway::prove`] and [`Gateway::login`], and asks the
//! [`Session`] that this gives about every command. Nothing is permitted before its record is safe:
//!
//! ```text
//! Gateway ─login─▶ Session ─admit─▶ Admission::Permitted(Permit)
//!                                   Admission::Denied(Denial)
//!                                   Admission::Held(ApprovalWait) ─answer─▶ Result<Permit, Denial>
//! ```
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

mod admin;
pub mod approvals;
pub mod authorities;
pub mod clock;
pub mod config;
pub mod diagnostics;
mod gateway;
mod id;
pub mod logging;
mod metrics;
pub mod oidc;
pub mod policy_files;
pub mod rates;
pub mod reference;
mod reload;
pub mod schema;
mod session;
pub mod socket;
mod soon;
pub mod trail;

pub use admin::Admin;
pub use approvals::ApprovalWait;
pub use config::Config;
pub use gateway::{Attempt, Gateway, OpenError, Proven};
pub use reload::Reloads;
pub use session::{Admission, Session};
pub use soon::{Later, Soon};
pub use trail::Trail;
