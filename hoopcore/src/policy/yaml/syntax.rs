//! What is wrong with a text that is no YAML, said so that whoever wrote it can mend it.
//!
//! The parser knows where it gave up and in which of its own terms; what a person did is mostly to be seen in that line
//! or the one before it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Malformed;
use crate::policy::node::Place;
use crate::policy::problem::shorten;

/// Reads the parser's complaint together with the text that it is about.
pub(super) fn explain(text: &str, at: Place, complaint: &str) -> Malformed {
    let scene = Scene { text, at };
    scene
        .conflict()
        .or_else(|| scene.tab(complaint))
        .or_else(|| scene.document(complaint))
        .or_else(|| scene.bound(complaint))
        .or_else(|| scene.quoting(complaint))
        .or_else(|| scene.mismatched(complaint))
        .or_else(|| scene.bracket(complaint))
        .or_else(|| scene.colon(complaint))
        .or_else(|| scene.indent(complaint))
        .unwrap_or_else(|| Malformed { at, message: format!("this is not YAML: {complaint}"), help: None })
}

struct Scene<'t> {
    text: &'t str,
    at: Place,
}

impl Scene<'_> {
    fn line(&self, number: u32) -> &str {
        self.text.lines().nth(number.saturating_sub(1) as usize).unwrap_or_default()
    }

    fn here(&self) -> &str {
        self.line(self.at.line)
    }

    /// The last line before the place that is neither empty nor a comment.
    fn before(&self) -> Option<(u32, &str)> {
        let lines = (1..self.at.line).rev().map(|number| (number, self.line(number)));
        lines.into_iter().find(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    }

    fn conflict(&self) -> Option<Malformed> {
        let is_mark = |line: &str| ["<<<<<<< ", ">>>>>>> ", "======="].iter().any(|mark| line.starts_with(mark));
        is_mark(self.here())
            .then(|| self.said("a merge conflict stands in the file", "resolve it, and take its marks out"))
    }

    fn tab(&self, complaint: &str) -> Option<Malformed> {
        if !complaint.contains("tab") {
            return None;
        }
        let is_tabbed = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
        let lines = [self.at.line, self.at.line.saturating_add(1)];
        let line = lines.into_iter().find(|number| is_tabbed(self.line(*number)))?;
        let width = self.line(line).chars().take_while(|c| c.is_whitespace()).count();
        let at = Place { line, column: 1, width: u32::try_from(width).unwrap_or(u32::MAX) };
        Some(Malformed { at, ..self.said("a tab indents this line", "indent with spaces: YAML knows no tabs there") })
    }

    /// Bounds that hold for every text.
    fn bound(&self, complaint: &str) -> Option<Malformed> {
        let is = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
        if is(&["recursion limit", "depth", "nesting"]) {
            return Some(self.said("the text is nested too deep", "48 levels are read; a policy needs less than ten"));
        }
        if is(&["replay", "aliases", "anchors limit", "budget", "limit exceeded"]) {
            let help = "write out what is meant; `sets:` gives a name to what several rules share";
            return Some(self.said("the text becomes too much when its anchors are put in", help));
        }
        if complaint.contains("merge key") {
            return Some(self.said("`<<` is not known to policies", "name what several rules share under `sets:`"));
        }
        None
    }

    /// Characters that mean something else to YAML where a text begins.
    fn quoting(&self, complaint: &str) -> Option<Malformed> {
        if complaint.contains("unclosed quote") || complaint.contains("quoted scalar") {
            if let Some(quote) = self.ends_before() {
                let help = match quote {
                    '"' => "write a quote within a text in double quotes as `\\\"`",
                    _ => "write an apostrophe within single quotes twice: `''`, or put the text in double quotes",
                };
                return Some(self.said("a text in quotes ends before this", help));
            }
            return Some(self.said("the closing quote is missing", "a text ends with the quote that it began with"));
        }
        let word = self.word();
        let first = word.chars().next().filter(|first| "*&!@`%|>".contains(*first))?;
        let is_about_it = ["anchor", "alias", "unexpected character", "cannot start", "tag", "reserved", "directive"];
        is_about_it.iter().any(|words| complaint.contains(words)).then(|| {
            let quoted = format!("write it in quotes: \"{}\"", shorten(&word));
            self.said(&format!("a text that begins with `{first}` must stand in quotes"), &quoted)
        })
    }

    /// The quote that stands right before a letter at the place, and so ended a text there.
    fn ends_before(&self) -> Option<char> {
        let mut around = self.here().chars().skip(self.at.column.checked_sub(2)? as usize);
        let quote = around.next().filter(|quote| "'\"".contains(*quote))?;
        around.next().filter(|next| next.is_alphanumeric()).map(|_| quote)
    }

    /// A bracket that closes another than the one that is open, or none.
    fn mismatched(&self, complaint: &str) -> Option<Malformed> {
        let here = self.here().chars().nth(self.at.column.saturating_sub(1) as usize)?;
        match here {
            '}' | ']' if complaint.contains("misplaced bracket") => {
                Some(self.said(&format!("this `{here}` closes nothing"), "take it out, or open what it is to close"))
            }
            '{' | '[' if complaint.contains("mismatched bracket") => {
                let close = if here == '{' { '}' } else { ']' };
                Some(self.said(&format!("this `{here}` is not closed"), &format!("close it with `{close}`")))
            }
            _ => None,
        }
    }

    /// The text at the place, up to where a value ends.
    fn word(&self) -> String {
        let rest: String = self.here().chars().skip(self.at.column.saturating_sub(1) as usize).collect();
        let end = rest.find([',', '}', ']', ' ']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches(':').to_string()
    }

    /// A bracket that was opened and never closed.
    fn bracket(&self, complaint: &str) -> Option<Malformed> {
        let is_about_it = ["flow", "',' or", "indicator", "invalid trailing", "inside a block", "EOF", "end of"];
        if !is_about_it.iter().any(|words| complaint.contains(words)) {
            return None;
        }
        let (at, bracket) = self.unclosed().into_iter().rev().find(|(at, _)| at.line < self.at.line).or_else(|| {
            let open = self.unclosed();
            open.last().copied().filter(|_| self.here().trim_end().len() <= self.at.column as usize)
        })?;
        let close = if bracket == '{' { '}' } else { ']' };
        let help = format!("close it with `{close}`, or write its keys on lines of their own");
        Some(Malformed { at, ..self.said(&format!("this `{bracket}` is not closed"), &help) })
    }

    /// The brackets that are open at the place.
    fn unclosed(&self) -> Vec<(Place, char)> {
        let mut open = Vec::new();
        for (number, line) in (1..=self.at.line).zip(self.text.lines()) {
            let end = if number == self.at.line { self.at.column.saturating_sub(1) as usize } else { usize::MAX };
            brackets(&mut open, number, line, end);
        }
        open
    }

    fn colon(&self, complaint: &str) -> Option<Malformed> {
        if complaint.contains("mapping values are not allowed") {
            return self.second_colon().or_else(|| self.tight_colon()).or_else(|| Some(self.too_far()));
        }
        if complaint.contains("expected ':'") || complaint.contains("could not find expected ':'") {
            if let Some(spaceless) = self.spaceless() {
                return Some(spaceless);
            }
            let line = self.here().trim();
            let first = line.trim_start_matches("- ").split_whitespace().next().unwrap_or_default();
            let help = format!("write `{}: value`, with a colon and a space", shorten(first.trim_end_matches(':')));
            return Some(self.said("a colon is missing on this line", &help));
        }
        None
    }

    /// `on:db`, or a character after the colon that only looks like a space.
    fn spaceless(&self) -> Option<Malformed> {
        let line = self.here();
        let colon = line.find(':')?;
        let key = line.get(..colon)?.trim().trim_start_matches("- ");
        let (value, next) = (line.get(colon + 1..)?, line.get(colon + 1..)?.chars().next()?);
        let column = u32::try_from(line.get(..colon)?.chars().count() + 1).unwrap_or(u32::MAX);
        let at = Place { column, width: 1, ..self.at };
        let help = format!("write `{}: {}`", shorten(key), shorten(value.trim()));
        let message = match next {
            ' ' => return None,
            next if next.is_whitespace() => "the character after the colon is no plain space",
            _ => "a space is missing after the colon",
        };
        Some(Malformed { at, ..self.said(message, &help) })
    }

    /// `reason: note: text`.
    fn second_colon(&self) -> Option<Malformed> {
        let before: String = self.here().chars().take(self.at.column.saturating_sub(1) as usize).collect();
        let (key, _) = before.split_once(": ")?;
        let value = self.here().trim_start().trim_start_matches("- ");
        let value = value.split_once(": ").map_or("", |(_, value)| value);
        let key = key.trim().trim_start_matches("- ");
        let help = format!("write it in quotes: `{}: \"{}\"`", shorten(key), shorten(value));
        Some(self.said("a text with a colon and a space in it must stand in quotes", &help))
    }

    /// `rule:a` on the line before.
    fn tight_colon(&self) -> Option<Malformed> {
        let (number, line) = self.before()?;
        let text = line.trim_start().trim_start_matches("- ");
        let colon = text.find(':').filter(|_| !text.contains(": ") && !text.trim_end().ends_with(':'))?;
        let (key, value) = (text.get(..colon)?, text.get(colon + 1..)?.trim());
        let column = line.chars().count() - text.chars().count() + key.chars().count() + 1;
        let at = Place { line: number, column: u32::try_from(column).unwrap_or(u32::MAX), width: 1 };
        let help = format!("write `{}: {}`", shorten(key), shorten(value));
        Some(Malformed { at, ..self.said("a space is missing after the colon", &help) })
    }

    fn too_far(&self) -> Malformed {
        let column = |line: &str| line.find(|c: char| c != ' ' && c != '-').unwrap_or_default() + 1;
        let help = match self.before() {
            Some((number, line)) => {
                let key = line.trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default();
                format!(
                    "`{}` on line {number} begins in column {}: keys of one map begin in the same",
                    shorten(key),
                    column(line)
                )
            }
            None => "keys of one map begin in the same column".to_string(),
        };
        let indent = column(self.here());
        let at = Place { column: u32::try_from(indent).unwrap_or(1), width: 1, ..self.at };
        Malformed { at, ..self.said(&format!("this line is indented too far: it begins in column {indent}"), &help) }
    }

    fn indent(&self, complaint: &str) -> Option<Malformed> {
        let is_about_it =
            ["expected '-'", "expected key", "block collection", "block mapping", "block end", "indentation"];
        is_about_it.iter().any(|words| complaint.contains(words)).then(|| {
            if let Some(dashless) = self.dashless() {
                return dashless;
            }
            let help = "keys of one map begin in the same column, and so do the `-` of one list";
            self.said("this line does not begin where the lines that it belongs to do", help)
        })
    }

    /// The first item of a list without its `-`, where a later one has it.
    fn dashless(&self) -> Option<Malformed> {
        if !self.here().trim_start().starts_with("- ") {
            return None;
        }
        let is_text = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let lines: Vec<_> = (1..self.at.line).map(|number| (number, self.line(number))).collect();
        let (head, _) = lines.iter().rev().find(|(_, line)| is_text(line) && !line.starts_with([' ', '-']))?;
        let (number, line) = lines.iter().find(|(number, line)| number > head && is_text(line))?;
        if line.trim_start().starts_with('-') {
            return None;
        }
        let column = line.chars().take_while(|c| *c == ' ').count() + 1;
        let at = Place { line: *number, column: u32::try_from(column).unwrap_or(u32::MAX), width: 1 };
        let help = format!("write `- {}`", shorten(line.trim()));
        Some(Malformed { at, ..self.said("the first item of this list begins without its `-`", &help) })
    }

    fn document(&self, complaint: &str) -> Option<Malformed> {
        complaint.contains("document").then(|| {
            let help = "write one document, without `---` after it; several files can be one policy";
            self.said("a second document begins here", help)
        })
    }

    fn said(&self, message: &str, help: &str) -> Malformed {
        Malformed { at: self.at, message: message.to_string(), help: Some(help.to_string()) }
    }
}

/// Follows the brackets of a line up to a column; what stands in quotes or in a comment is none.
fn brackets(open: &mut Vec<(Place, char)>, line: u32, text: &str, end: usize) {
    let (mut quote, mut before) = (None, ' ');
    for (column, c) in (1_u32..).zip(text.chars().take(end)) {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '#') if before == ' ' => return,
            (None, '"' | '\'') if " [{,:".contains(before) => quote = Some(c),
            (None, '{' | '[') => open.push((Place { line, column, width: 1 }, c)),
            (None, '}' | ']') => drop(open.pop()),
            (None, _) => {}
        }
        before = c;
    }
}
