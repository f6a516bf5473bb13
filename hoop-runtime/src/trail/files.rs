//! The files under the trail: what the writer asks of a folder, and the folder on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A place for segments.
pub(crate) trait Folder: Send {
    /// A new, empty file.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn SegmentFile>>;
    /// Returns once the names of all files would survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
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
        let changed = changed_by_making(&path, Path::exists);
        fs::create_dir_all(&path)?;
        for folder in changed {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { path })
    }
}

/// The folders that get an entry where one is made together with those above it that are missing, and itself.
fn changed_by_making(folder: &Path, exists: impl Fn(&Path) -> bool) -> Vec<&Path> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !exists(folder));
    let above = missing.filter_map(Path::parent);
    // The folder above a relative path is the one that it begins at.
    let above = above.map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    std::iter::once(folder).chain(above).collect()
}

impl Folder for Directory {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.path.join(name))?))
    }

    fn sync(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_gets_an_entry_is_synced() {
        let check = |folder: &str, there: &[&str], expected: &[&str]| {
            let exists = |path: &Path| there.iter().any(|there| Path::new(there) == path);
            let expected: Vec<&Path> = expected.iter().map(Path::new).collect();
            assert_eq!(changed_by_making(Path::new(folder), exists), expected, "{folder}");
        };
        check("/a/b/c", &["/", "/a", "/a/b", "/a/b/c"], &["/a/b/c"]);
        check("/a/b/c", &["/", "/a"], &["/a/b/c", "/a/b", "/a"]);
        check("b/c", &[], &["b/c", "b", "."]);
        check("c", &["c"], &["c"]);
    }
}
