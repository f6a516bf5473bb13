//! Commands that wait for people: held in memory, answered over a Unix socket.

mod hold;
mod registry;

pub use hold::Hold;
pub(crate) use hold::hold;
pub use registry::{AnswerError, Answered, Registry, Waiting};
