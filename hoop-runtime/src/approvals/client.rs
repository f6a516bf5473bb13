//! An approver's side of the socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Ask, Reply};

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the gateway behind a socket one thing.
///
/// # Errors
/// Where nobody answers there, or not in the words of this version.
pub fn ask(socket: &Path, ask: &Ask) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the gateway closed the connection"));
    }
    Ok(serde_json::from_str(&answer)?)
}
