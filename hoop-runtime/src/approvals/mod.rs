//! Commands that wait for people: held in memory, answered over a Unix socket.

mod client;
mod grants;
mod in_hand;
mod protocol;
mod registry;
mod server;
mod wait;

pub use client::ask;
pub(crate) use grants::Grants;
pub use protocol::{Ask, Asked, Detail, GrantSummary, Named, Reply, Summary, Value};
pub use registry::{AnswerError, Answered, HeldCommand, Registry};
pub use wait::ApprovalWait;
pub(crate) use wait::hold;
