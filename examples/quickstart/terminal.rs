//! Words on a terminal: coloured there, plain in a pipe and where NO_COLOR is set.

use std::io::{self, IsTerminal, Read, stdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

fn styled(style: &str, text: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !stdout().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[{style}m{text}\x1b[0m") }
}

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n{}", styled("1;36", text));
}

/// A command as a person would type it.
pub(crate) fn command(text: &str) {
    println!("{} {}", styled("2", "$"), styled("1", text));
}

/// What a command said, indented.
pub(crate) fn answer(text: &str) {
    for line in text.lines() {
        let refused = line.starts_with("ERROR") || line.starts_with("HINT") || line.starts_with("DETAIL");
        println!("  {}", if refused { styled("33", line) } else { line.to_owned() });
    }
}

/// Enter or ctrl-C: the sign to leave. Ctrl-C ends what runs in the foreground and not this program, which tidies up.
pub(crate) struct Leave(Sender<()>, Receiver<()>);

impl Leave {
    /// Watches for ctrl-C from now on.
    pub(crate) fn watch() -> io::Result<Self> {
        let (sender, receiver) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let told = sender.clone();
        thread::spawn(move || {
            drop(runtime.block_on(tokio::signal::ctrl_c()));
            told.send(())
        });
        Ok(Self(sender, receiver))
    }

    /// Returns at the sign.
    pub(crate) fn wait(self) {
        let Self(sender, receiver) = self;
        thread::spawn(move || {
            drop(io::stdin().read(&mut [0]));
            sender.send(())
        });
        let _ = receiver.recv();
    }
}
