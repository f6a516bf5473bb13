//! hoop in front of PostgreSQL: unchanged clients, every statement decided, every answer masked.
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

mod binary;
pub mod cancel;
pub mod catalog;
pub mod certificate;
pub mod charset;
mod client_login;
mod conversation;
pub mod drain;
pub mod dsn;
mod entrance;
pub mod fifo;
pub mod frame;
mod greeting;
mod guesses;
mod lane;
mod masking;
pub mod message;
mod patience;
mod places;
pub mod poison;
mod reading;
pub mod refusal;
pub mod relay;
pub mod replication;
pub mod reply;
pub mod reported;
mod scram;
pub mod scrub;
mod serve;
mod server_login;
pub mod settings;
mod sources;
pub mod startup;
pub mod tls;
pub mod transport;
mod upkeep;
pub mod upstream;
mod verifiers;
mod works;

pub use serve::{ServeError, Server, check, serve};
