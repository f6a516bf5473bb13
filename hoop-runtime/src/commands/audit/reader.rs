//! Reads the files of a trail line by line, the oldest record first, whichever gateway wrote it and while it goes on writing.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use hoopcore::Timestamp;
use serde_json::Value;

/// A longer line is no record, and not kept in memory.
const LINE_BYTES: usize = 16 * 1024 * 1024;

/// So much of it is shown.
const SHOWN_BYTES: usize = 1024;

/// A line of a trail.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A record, and the text that it is.
    Record(Value, Vec<u8>),
    /// What is none, or the beginning of it.
    Other(Vec<u8>),
}

/// What was read of a trail so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// How far each file was read: always to the end of a line.
    read: BTreeMap<PathBuf, u64>,
    /// Where files ended in what is no whole line.
    partial: BTreeMap<PathBuf, u64>,
}

impl Reader {
    /// Gives every whole line that was not given yet. One line of each gateway that wrote at the same time is in memory at
    /// once. Each gateway's own order is kept; where its clock went back, so do the times that are given.
    pub(super) fn advance<E: From<io::Error>>(
        &mut self,
        directory: &Path,
        mut each: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut runs: BinaryHeap<Reverse<Run>> = self.unread(directory)?.into_iter().map(Reverse).collect();
        while let Some(Reverse(mut run)) = runs.pop() {
            if let Some(line) = run.line.take() {
                each(line)?;
            }
            if run.read_line(self)? {
                runs.push(Reverse(run));
            }
        }
        Ok(())
    }

    /// Files that ended in what is no whole line, and how far they are read. A gateway may be about to write the rest.
    pub(super) fn partial(&self) -> &BTreeMap<PathBuf, u64> {
        &self.partial
    }

    /// What there is to read, by the run of a gateway that wrote it.
    fn unread(&self, directory: &Path) -> io::Result<Vec<Run>> {
        let mut runs: BTreeMap<String, Run> = BTreeMap::new();
        let mut files: Vec<PathBuf> = fs::read_dir(directory)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        files.sort();
        for path in files {
            let read = self.read.get(&path).copied().unwrap_or_default();
            // A file may be gone by now: what its writer could not write to at all it takes away again.
            if fs::metadata(&path).is_ok_and(|file| file.len() > read) {
                let name = run_of(&path);
                runs.entry(name.clone()).or_insert_with(|| Run::new(name)).files.push_back(path);
            }
        }
        Ok(runs.into_values().collect())
    }
}

/// The files that one run of a gateway wrote, one behind the other.
#[derive(Debug)]
struct Run {
    /// What comes next is not older than this.
    time: Timestamp,
    name: String,
    files: VecDeque<PathBuf>,
    open: Option<(PathBuf, BufReader<File>)>,
    /// The next line to be given.
    line: Option<Line>,
}

impl Run {
    fn new(name: String) -> Self {
        let begin = name.split_once('-').and_then(|(begin, _)| begin.parse().ok());
        Self { time: begin.unwrap_or(Timestamp::MIN), name, files: VecDeque::new(), open: None, line: None }
    }

    /// Reads the next line; whether there is one.
    fn read_line(&mut self, reader: &mut Reader) -> io::Result<bool> {
        while self.open(reader)? {
            let Some((path, file)) = &mut self.open else { continue };
            let read = reader.read.entry(path.clone()).or_default();
            match next_line(file)? {
                Next::Line(line, bytes) => {
                    *read += bytes;
                    reader.partial.remove(path);
                    self.time = line.time().map_or(self.time, |time| self.time.max(time));
                    self.line = Some(line);
                    return Ok(true);
                }
                Next::Part => drop(reader.partial.insert(path.clone(), *read)),
                Next::End => {}
            }
            self.open = None;
        }
        Ok(false)
    }

    /// Opens the next file where none is open; whether one is.
    fn open(&mut self, reader: &Reader) -> io::Result<bool> {
        while self.open.is_none() {
            let Some(path) = self.files.pop_front() else { return Ok(false) };
            match File::open(&path) {
                Ok(mut file) => {
                    file.seek(SeekFrom::Start(reader.read.get(&path).copied().unwrap_or_default()))?;
                    self.open = Some((path, BufReader::new(file)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Line {
    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Record(record, _) => record["time"].as_str()?.parse().ok(),
            Self::Other(_) => None,
        }
    }
}

/// The oldest first; of the same age, those of the run that began first.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, &self.name).cmp(&(other.time, &other.name))
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

/// The run of a gateway that a file belongs to: its name without the number at the end.
fn run_of(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((run, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => run.to_owned(),
        _ => name.into_owned(),
    }
}

/// What comes next in a file.
enum Next {
    /// A line, and how many bytes it takes with its end.
    Line(Line, u64),
    /// The beginning of a line.
    Part,
    End,
}

fn next_line(file: &mut impl BufRead) -> io::Result<Next> {
    let mut line = Vec::new();
    let bytes = file.take(LINE_BYTES as u64).read_until(b'\n', &mut line)? as u64;
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        let record = serde_json::from_slice(&line);
        let line = match record {
            Ok(record) => Line::Record(record, line),
            Err(_) => Line::Other(line),
        };
        return Ok(Next::Line(line, bytes));
    }
    match (bytes, skip_line(file)?) {
        (0, None) => Ok(Next::End),
        (_, None) => Ok(Next::Part),
        (_, Some(rest)) => {
            line.truncate(SHOWN_BYTES);
            Ok(Next::Line(Line::Other(line), bytes + rest))
        }
    }
}

/// Reads to the end of the line, and gives how many bytes that were; nothing where the file ends before.
fn skip_line(file: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut skipped = 0;
    loop {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let bytes = end.map_or(buffer.len(), |end| end + 1);
        file.consume(bytes);
        skipped += bytes as u64;
        match (end, bytes) {
            (Some(_), _) => return Ok(Some(skipped)),
            (None, 0) => return Ok(None),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Appends lines to files: `FILE SECOND TEXT`.
    fn write(directory: &Path, lines: &[&str]) {
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let (file, second, text) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let mut file = File::options().create(true).append(true).open(directory.join(file)).unwrap();
            writeln!(file, "{{\"time\":\"2026-11-22T09:00:{second}Z\",\"text\":\"{text}\"}}").unwrap();
        }
    }

    fn texts(reader: &mut Reader, directory: &Path) -> Vec<String> {
        let mut texts = Vec::new();
        let told = reader.advance(directory, |line| {
            texts.push(match line {
                Line::Record(record, _) => record["text"].as_str().unwrap().to_owned(),
                Line::Other(text) => format!("other {}", text.len()),
            });
            Ok::<_, io::Error>(())
        });
        told.unwrap();
        texts
    }

    const ONE: &str = "20261122T090000.000Z-aaaa-000001.jsonl";
    const ONE_ON: &str = "20261122T090000.000Z-aaaa-000002.jsonl";
    const OTHER: &str = "20261122T090002.000Z-bbbb-000001.jsonl";

    #[test]
    fn gateways_that_wrote_at_the_same_time_are_read_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let line = |file: &str, rest: &str| format!("{file} {rest}");
        let lines = [
            line(ONE, "00 a"),
            line(ONE, "02.5 c"),
            // Its clock went back.
            line(ONE, "01 d"),
            line(ONE_ON, "07 h"),
            line(OTHER, "02 b"),
            line(OTHER, "02.75 e"),
            line(OTHER, "05 f"),
            line(OTHER, "06 g"),
        ];
        write(folder.path(), &lines.each_ref().map(String::as_str));
        let mut reader = Reader::default();
        assert_eq!(texts(&mut reader, folder.path()).concat(), "abcdefgh");
        assert_eq!(texts(&mut reader, folder.path()).concat(), "");
        write(folder.path(), &[&line(ONE_ON, "09 j"), &line(OTHER, "08 i")]);
        assert_eq!(texts(&mut reader, folder.path()).concat(), "ij");
    }

    /// What is given first is given before the rest is read: a trail of any size fits.
    #[test]
    fn lines_are_given_as_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[&format!("{ONE} 00 first"), &format!("{ONE_ON} 01 second")]);
        let mut given = 0;
        let told = Reader::default().advance(folder.path(), |_| {
            given += 1;
            fs::remove_file(folder.path().join(ONE_ON))
        });
        told.unwrap();
        assert_eq!(given, 1);
    }

    #[test]
    fn a_file_that_is_gone_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join(ONE)).unwrap();
        write(folder.path(), &[&format!("{OTHER} 00 a")]);
        assert_eq!(texts(&mut Reader::default(), folder.path()), ["a"]);
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(LINE_BYTES + 5000);
        fs::write(folder.path().join(ONE), format!("{long}\n")).unwrap();
        write(folder.path(), &[&format!("{ONE} 00 a")]);
        fs::write(folder.path().join(OTHER), long).unwrap();
        let mut reader = Reader::default();
        assert_eq!(texts(&mut reader, folder.path()), ["other 1024", "a"]);
        assert_eq!(reader.partial().keys().collect::<Vec<_>>(), [&folder.path().join(OTHER)]);
    }

    #[test]
    fn a_line_that_is_being_written_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[&format!("{ONE} 00 a")]);
        let mut file = File::options().append(true).open(folder.path().join(ONE)).unwrap();
        write!(file, "{{\"time\":\"2026-11-22T09:00:01Z\",").unwrap();
        let mut reader = Reader::default();
        assert_eq!(texts(&mut reader, folder.path()), ["a"]);
        assert_eq!(reader.partial().len(), 1);
        writeln!(file, "\"text\":\"b\"}}").unwrap();
        assert_eq!(texts(&mut reader, folder.path()), ["b"]);
        assert!(reader.partial().is_empty());
    }
}
