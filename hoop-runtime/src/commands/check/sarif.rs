//! Problems as SARIF 2.1.0, the format of OASIS for results of static analysis.

use hoopcore::policy::{Problem, Severity};
use serde_json::{Value, json};

/// A log with one run of `hoop check`.
pub(super) fn log(problems: &[Problem]) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hoop",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": [
                    { "id": "error", "shortDescription": { "text": "the policy is refused" } },
                    { "id": "warning", "shortDescription": { "text": "the policy loads; a person should look" } },
                ],
            } },
            "columnKind": "unicodeCodePoints",
            "results": problems.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(problem: &Problem) -> Value {
    let level = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({ "ruleId": level, "level": level, "message": { "text": message(problem) }, "locations": locations(problem) })
}

/// All that is said about a problem, in one text.
fn message(problem: &Problem) -> String {
    let parts = [Some(problem.message.as_str()), problem.label.as_deref(), problem.help.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn locations(problem: &Problem) -> Vec<Value> {
    let Problem { line, column, width, .. } = problem;
    let region = json!({ "startLine": line, "startColumn": column, "endColumn": column.saturating_add(*width) });
    let location = |file: &str| {
        let uri: String = file.replace('\\', "/").split('/').map(escaped).collect::<Vec<_>>().join("/");
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region } })
    };
    problem.file.as_deref().map(location).into_iter().collect()
}

/// A part of a path as part of a URI (RFC 3986).
fn escaped(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
