//! A held command in full, written so that nothing of it looks like what hoop says of it.
//!
//! What hoop says begins at the edge, with the name of a field. What the caller wrote stands behind it, or beneath it behind
//! a bar, in lines of our own making that fit a terminal: none of them begins at the edge, however the caller wrote it.

use std::io::{self, Write};

use hoop_runtime::approvals::{Asked, Detail, Value};
use hoop_runtime::diagnostics::printable;

use super::approvals::{left, scope};
use super::output::{FAINT, LOUD, spelled};

/// How wide a line is behind the name of its field, in columns.
const WIDTH: usize = 64;

/// With more lines than these above them, the fields are said once more at the end.
const SCREEN: usize = 12;

/// Writes all that is known of a held command.
pub(super) fn show(detail: &Detail, out: &mut impl Write) -> io::Result<()> {
    head(detail, out)?;
    let mut lines = text(out, "statement", &detail.statement)?;
    for named in &detail.named {
        field(out, "runs", &format!("{} is", quoted(&named.name)))?;
        lines += text(out, "", &named.statement)?;
    }
    for (number, value) in detail.parameters.iter().flatten().enumerate() {
        lines += field(out, &format!("${}", number + 1), &in_words(value))?;
    }
    if lines > SCREEN {
        writeln!(out, "{FAINT}once more{FAINT:#}")?;
        head(detail, out)?;
    }
    Ok(())
}

/// What hoop says of it: with what the approver is to be warned of first.
fn head(detail: &Detail, out: &mut impl Write) -> io::Result<()> {
    let Detail { summary, .. } = detail;
    for caution in cautions(detail) {
        write!(out, "{LOUD}")?;
        field(out, "CAUTION", &caution)?;
        write!(out, "{LOUD:#}")?;
    }
    field(out, "id", &summary.id)?;
    field(out, "who", &who(detail))?;
    field(out, "on", &summary.resource)?;
    field(out, "since", &summary.since)?;
    field(out, "until", &format!("{} ({})", summary.deadline, left(summary.seconds_left)))?;
    for demand in &detail.demands {
        field(out, "rule", &asked(demand))?;
    }
    field(out, "digest", &detail.digest).map(drop)
}

/// What is not to be overlooked.
fn cautions(detail: &Detail) -> Vec<String> {
    let text = detail.uncertain.as_ref().map(|why| format!("hoop could not read all of it: {why}"));
    let values = detail.parameters.iter().flatten().enumerate();
    let unread: Vec<String> = values
        .filter(|(_, value)| matches!(value, Value::Unread(_)))
        .map(|(number, _)| format!("${}", number + 1))
        .collect();
    let values = (!unread.is_empty()).then(|| {
        format!("hoop cannot show the values of {}; consent is to these values alone, by the digest", unread.join(", "))
    });
    text.into_iter().chain(values).collect()
}

fn who(detail: &Detail) -> String {
    let groups = detail.groups.as_ref().map_or_else(|| "groups not known".to_owned(), |groups| groups.join(", "));
    let kind = detail.kind.as_deref().unwrap_or("kind not known");
    format!("{} ({kind}; {groups}; {})", detail.summary.user, detail.how)
}

fn asked(demand: &Asked) -> String {
    let Asked { rule, group, people, agreed, grant } = demand;
    let so_far = if agreed.is_empty() { "nobody yet".to_owned() } else { agreed.join(", ") };
    format!("{rule}: {people} of group `{group}`, good for {}; agreed: {so_far}", scope(grant))
}

/// A value: texts are quoted, all else is not.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => quoted(text),
        Value::Shown(text) => text.clone(),
        Value::Unread(what) => format!("({what})"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// One field, spelt out on one line, or on several where it is long; how many.
fn field(out: &mut impl Write, name: &str, text: &str) -> io::Result<usize> {
    let pieces = pieces(&spelled(text));
    for (number, piece) in pieces.iter().enumerate() {
        match number {
            0 => writeln!(out, "{FAINT}{name:<11}{FAINT:#}{piece}")?,
            _ => writeln!(out, "{:11}{piece}", "")?,
        }
    }
    Ok(pieces.len())
}

/// A text in its own lines, each behind a bar; `:` stands before the rest of a long one. How many.
fn text(out: &mut impl Write, name: &str, text: &str) -> io::Result<usize> {
    let mut lines = 0;
    if !name.is_empty() {
        writeln!(out, "{FAINT}{name}{FAINT:#}")?;
    }
    for line in text.split('\n') {
        for (number, piece) in pieces(&printable(line)).iter().enumerate() {
            writeln!(out, "{:9}{FAINT}{}{FAINT:#} {piece}", "", if number == 0 { '|' } else { ':' })?;
            lines += 1;
        }
    }
    Ok(lines)
}

/// A line cut into pieces that fit; what is beyond ASCII is taken to be two columns wide.
fn pieces(line: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut width) = (Vec::new(), String::new(), 0);
    for c in line.chars() {
        let wide = if c.is_ascii() { 1 } else { 2 };
        if width + wide > WIDTH {
            pieces.push(std::mem::take(&mut piece));
            width = 0;
        }
        piece.push(c);
        width += wide;
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use anstream::AutoStream;
    use hoop_runtime::approvals::{Named, Summary};

    use super::*;

    fn detail() -> Detail {
        Detail {
            summary: Summary {
                id: "q7".into(),
                since: "2026-01-01T00:00:00Z".into(),
                deadline: "2026-01-01T00:15:00Z".into(),
                seconds_left: 60,
                user: "etl-7".into(),
                resource: "orders-db".into(),
                rules: vec!["fixes".into()],
                command: "update orders set paid = ?".into(),
            },
            kind: Some("workload".into()),
            groups: Some(vec!["batch-jobs".into()]),
            how: "a password".into(),
            uncertain: None,
            statement: "UPDATE orders SET paid = $1".into(),
            parameters: None,
            named: Vec::new(),
            digest: "ab".repeat(32),
            demands: Vec::new(),
        }
    }

    fn written(detail: &Detail) -> String {
        let mut out = AutoStream::never(Vec::new());
        show(detail, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    /// The names of the fields that stand at the edge.
    fn fields(written: &str) -> Vec<&str> {
        written.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()).collect()
    }

    const HEAD: [&str; 6] = ["id", "who", "on", "since", "until", "digest"];

    #[test]
    fn nothing_of_the_caller_stands_where_a_field_begins() {
        let forged = "x\nrule       any: 1 of group `dba`\r\x1b[2Krule  b\u{2028}rule c";
        let wrapping = |width: usize| format!("{}rule       any", " ".repeat(width));
        let mut forging: Vec<String> = vec![forged.into(), "\n".into(), String::new(), "é".repeat(300)];
        forging.extend((60..90).map(wrapping));
        for forged in forging {
            let mut held = detail();
            held.summary.user.clone_from(&forged);
            held.summary.resource.clone_from(&forged);
            held.groups = Some(vec![forged.clone()]);
            held.statement.clone_from(&forged);
            held.named = vec![Named { name: forged.clone(), statement: forged.clone() }];
            let values = [Value::Text(forged.clone()), Value::Shown(forged.clone()), Value::Unread(forged.clone())];
            held.parameters = Some(values.into());
            let written = written(&held);
            let expected = ["CAUTION"].iter().chain(&HEAD).chain(&["statement", "runs", "$1", "$2", "$3"]);
            let again = ["once", "CAUTION"].iter().chain(&HEAD);
            let expected: Vec<&str> = expected.chain(again).copied().collect();
            let found = fields(&written);
            assert!(expected.starts_with(&found) && found.len() >= 12, "{written}");
            assert!(
                written.lines().all(|line| line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() < 80)
            );
            assert!(!written.contains(['\r', '\x1b', '\u{2028}']));
        }
    }

    #[test]
    fn values_tell_what_they_are() {
        let check = |value: Value, expected: &str| {
            let mut held = detail();
            held.parameters = Some(vec![value]);
            let written = written(&held);
            let shown = written.lines().find_map(|line| line.strip_prefix("$1")).unwrap().trim_start();
            assert_eq!(shown, expected);
            assert_eq!(written.starts_with("CAUTION"), expected.starts_with('('));
        };
        check(Value::Null, "NULL");
        check(Value::Text("NULL".into()), "\"NULL\"");
        check(Value::Text("a\nb\\n\"".into()), r#""a\nb\\n\"""#);
        check(Value::Shown("12.50".into()), "12.50");
        check(Value::Unread("binary, 12 bytes, type point".into()), "(binary, 12 bytes, type point)");
    }

    #[test]
    fn long_statements_do_not_push_the_fields_away() {
        let mut held = detail();
        held.statement = format!("SELECT 1{}", "\n".repeat(500));
        let written = written(&held);
        assert_eq!(fields(&written)[8..], HEAD);
        held.statement = "SELECT 1".into();
        assert_eq!(fields(&self::written(&held)).len(), 7);
    }
}
