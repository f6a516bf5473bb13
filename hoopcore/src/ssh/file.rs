//! What operations on files do: those of SFTP, by the names of its drafts and of its command line.

use alloc::vec;
use alloc::vec::Vec;

use super::Unread;
use crate::command::ssh::{Effect, Verb};

/// The effects of an operation on a path, and on another where it has two.
pub(super) fn effects(operation: &str, path: &str, to: Option<&str>) -> Result<Vec<Effect>, Unread> {
    let paths = [Some(path), to];
    if paths.into_iter().flatten().any(|path| path.is_empty() || path.contains(|c: char| c.is_control())) {
        return Err("a path is empty, or has a control character");
    }
    let read = |path| Effect::on_path(Verb::Read, path);
    let write = |path| Effect::on_path(Verb::Write, path);
    match (operation, to) {
        ("read" | "get" | "list" | "opendir" | "readdir" | "stat" | "lstat" | "readlink" | "realpath", None) => {
            Ok(vec![read(path)])
        }
        ("write" | "put" | "append" | "create" | "setstat" | "mkdir" | "rmdir" | "remove", None) => {
            Ok(vec![write(path)])
        }
        // Whether it reads or writes is not told.
        ("open", None) => Ok(vec![read(path), write(path)]),
        ("rename", Some(to)) => Ok(vec![write(path), write(to)]),
        // What the link shows can be read where the link is, and written.
        ("symlink" | "link", Some(to)) => Ok(vec![read(path), write(path), write(to)]),
        ("rename" | "symlink" | "link", None) => Err("the operation has two paths"),
        _ => Err("the operation is not one that hoop knows"),
    }
}
