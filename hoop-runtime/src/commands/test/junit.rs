//! Outcomes as the XML of JUnit, which CI systems show.

use std::io::Write;

use super::super::Failure;
use super::super::output;
use super::{Case, Difference};

/// One suite with a case for each.
pub(super) fn tell(cases: &[Case<'_>]) -> Result<(), Failure> {
    let mut out = output::out();
    let failed = cases.iter().filter(|case| !case.passed).count();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuite name="hoop" tests="{}" failures="{failed}">"#, cases.len())?;
    for case in cases {
        let (name, file) = (escaped(&case.title()), escaped(case.file.unwrap_or("policy")));
        let head = format!(r#"  <testcase classname="{file}" name="{name}""#);
        match case.passed {
            true => writeln!(out, "{head}/>")?,
            false => writeln!(out, r#"{head}><failure message="{}"/></testcase>"#, escaped(&told(case)))?,
        }
    }
    writeln!(out, "</testsuite>")?;
    Ok(())
}

fn told(case: &Case<'_>) -> String {
    let one = |Difference { what, expected, got }: &Difference| format!("{what}: expected {expected}, got {got}");
    case.differences.iter().map(one).chain(case.reason.clone()).collect::<Vec<_>>().join("; ")
}

/// Text as an attribute of XML; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
