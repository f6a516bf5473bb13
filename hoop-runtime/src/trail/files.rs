//! The files under the trail: what the writer asks of a folder, and the folder on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A place for segments.
pub(crate) trait Folder: Send {
    /// A new, empty file whose name survives a power cut.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn SegmentFile>>;
    /// Takes away a file in which nothing was ever acknowledged.
    fn discard(&mut self, name: &str) -> io::Result<()>;
}

/// A file that is only ever appended to.
pub(crate) trait SegmentFile: Send {
    /// Hands the bytes to the kernel.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once all that was appended would survive a power cut. After an error the file is never used again:
    /// the kernel may have dropped the bytes and call the next sync a success.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory on disk.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory, made where it is missing.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        File::open(&path)?.sync_all()?;
        Ok(Self { path })
    }
}

impl Folder for Directory {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.path.join(name))?;
        File::open(&self.path)?.sync_all()?;
        Ok(Box::new(file))
    }

    fn discard(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
