//! Unix sockets: they appear under their name with their mode already set, and never in place of one that somebody serves.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use crate::id;

/// Listens on a Unix socket with this mode. One that a gateway left behind when it ended is replaced.
///
/// # Errors
/// Where something else has that name, or a process listens there, or may.
pub async fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    make_sure_that_it_is_free(path).await?;
    let beside = path.with_extension(id::random(8));
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| drop(fs::remove_file(&beside)))?;
    Ok(listener)
}

/// That there is nothing of that name, or a socket that nobody serves. Whatever else keeps one from connecting says
/// nothing: a process that listens may be busy, or let others in.
async fn make_sure_that_it_is_free(path: &Path) -> io::Result<()> {
    let taken = |why: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, format!("`{}` {why}", path.display())));
    match fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => {}
        Ok(_) => return taken("is there, and is no socket"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    // Where that would block, a process listens that has no time.
    match UnixStream::connect(path).await {
        Ok(_) => taken("is another process's, which listens there"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => taken(&format!("may be another process's: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".s.PGSQL.5432");
        drop(listen(&path, 0o600).await.unwrap());
        assert_eq!(mode(&path), 0o600);
        let _listens = listen(&path, 0o660).await.unwrap();
        assert_eq!(mode(&path), 0o660);
        assert_eq!(listen(&path, 0o600).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_may_be_served_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // One that speaks datagrams cannot be connected to so, and lives.
        let _other = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        assert!(listen(&path, 0o600).await.is_err());
        assert!(path.exists());
        let file = folder.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert_eq!(listen(&file, 0o600).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
