//! Commands that wait for people: held in memory, answered over a Unix socket.

mod client;
mod grants;
mod hold;
mod in_hand;
mod protocol;
mod registry;
mod server;

pub use client::ask;
pub(crate) use grants::Grants;
pub use hold::Hold;
pub(crate) use hold::hold;
pub use protocol::{Ask, Asked, Detail, GrantSummary, Named, Reply, Summary, Value};
pub use registry::{AnswerError, Answered, Registry, Waiting};
