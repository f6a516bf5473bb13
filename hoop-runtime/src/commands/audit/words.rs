//! A record of the trail as a line for a person.

use hoop_runtime::diagnostics::printable;
use hoopcore::Verdict;
use serde_json::Value;

use super::super::output::{self, FAINT, LOUD, STRONG};

/// One record as a line for a person.
pub(super) struct Record<'a>(pub(super) &'a Value);

impl Record<'_> {
    pub(super) fn in_words(&self) -> String {
        let time = self.text("/time");
        let observed = if self.is_observed() { format!("{LOUD}OBSERVED{LOUD:#} ") } else { String::new() };
        format!("{FAINT}{time}{FAINT:#} {observed}{}", self.body(&self.text("/kind"))).trim_end().to_owned()
    }

    fn body(&self, kind: &str) -> String {
        let bad = output::style_of_success(false);
        match kind {
            "decision" => self.decision(),
            "closing" => self.closing(),
            "login" => self.login(),
            "login_refused" => format!("{bad}refused{bad:#}   {} {}", self.parties(), self.text("/reason")),
            "session_expired" => format!("{bad}expired{bad:#}   {} {}", self.parties(), self.text("/reason")),
            "segment" => self.segment(),
            "timed_out" => {
                let (timeout, after) = (self.text("/timeout"), self.text("/after"));
                format!("{bad}timed out{bad:#} {} {timeout} after {after}", self.parties())
            }
            "policy_reloaded" => {
                let (after, before) = (self.short("/after"), self.short("/before"));
                format!("{STRONG}policy{STRONG:#}    {after} is in force after {before}")
            }
            "policy_refused" => {
                let (stays, reason) = (self.short("/policy"), self.text("/reason"));
                let problems = self.number("/problems");
                format!("{bad}policy{bad:#}    NOT reloaded, {stays} stays: {reason} (problems: {problems})")
            }
            "lost" => format!("{bad}lost{bad:#}      {} records could not be written", self.number("/records")),
            // What is taken back never takes anything back itself.
            "void" => match self.text("/voids").as_str() {
                "void" => String::new(),
                voids => format!("{bad}void{bad:#}      did not come about: {}", self.body(voids)),
            },
            kind => self.approval(kind),
        }
    }

    /// The beginning of a digest.
    fn short(&self, path: &str) -> String {
        self.text(path).chars().take(12).collect()
    }

    /// By which consent of people a command went on.
    fn grant(&self) -> String {
        let number = |path: &str| self.0.pointer(path).and_then(Value::as_u64);
        match (self.text("/grant/approval").as_str(), number("/grant/use"), number("/grant/of")) {
            ("", ..) => String::new(),
            (id, Some(number), Some(of)) => format!(" {{{id} {number}/{of}}}"),
            (id, number, _) => format!(" {{{id} {}}}", number.unwrap_or_default()),
        }
    }

    fn is_observed(&self) -> bool {
        self.0["observed"] == true
    }

    fn login(&self) -> String {
        let reason = self.text("/reason");
        let would = if reason.is_empty() { String::new() } else { format!(" [would be refused: {reason}]") };
        let (how, session) = (self.text("/who/how"), self.text("/session"));
        format!("{STRONG}login{STRONG:#}     {} how={how} session={session}{would}", self.parties())
    }

    fn segment(&self) -> String {
        let (after, failure) = (self.text("/after"), self.text("/failure"));
        match (after.as_str(), failure.as_str()) {
            ("", _) => format!("{FAINT}the gateway begins{FAINT:#}"),
            (after, "") => format!("{FAINT}the trail goes on after {after}{FAINT:#}"),
            (after, failure) => {
                let bad = output::style_of_success(false);
                format!("{bad}failed{bad:#}    {after} could not be written to its end: {failure}")
            }
        }
    }

    fn decision(&self) -> String {
        let word = self.text("/verdict");
        let style = verdict(&word).map(output::style_of).unwrap_or_default();
        let word = if self.is_observed() { format!("would {word}") } else { word };
        let (rule, reason) = (self.text("/rule/name"), self.text("/reason"));
        let why = if reason.is_empty() { rule } else { format!("{rule}: {reason}") };
        format!("{style}{word:<9}{style:#} {} [{why}]{} {}", self.parties(), self.grant(), self.text("/command"))
    }

    fn closing(&self) -> String {
        let error = self.text("/completion/error");
        let masked = if self.is_observed() { "would_mask" } else { "masked" };
        format!(
            "{FAINT}{:<9}{FAINT:#} {} rows={} bytes={} {masked}={}{}{} {error}",
            self.text("/completion/status"),
            self.parties(),
            self.number("/completion/rows"),
            self.number("/completion/bytes"),
            self.number("/completion/cells_masked"),
            self.masked_by(),
            self.would_end(),
        )
    }

    /// What masked how many cells.
    fn masked_by(&self) -> String {
        let masked = self.0.pointer("/completion/masked_by").and_then(Value::as_array).into_iter().flatten();
        let told: Vec<String> = masked
            .map(|masked| {
                let name = masked["column"].as_str().or(masked["detector"].as_str()).unwrap_or("in doubt");
                format!("{} {}", printable(name), masked["cells"].as_u64().unwrap_or_default())
            })
            .collect();
        if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
    }

    /// What would have ended an execution that was only watched.
    fn would_end(&self) -> String {
        let (limit, why) = (self.text("/completion/would_end/limit"), self.text("/completion/would_end/unmaskable"));
        match (limit.as_str(), why.as_str()) {
            ("", "") => String::new(),
            ("", why) => format!(" [would be refused: {why}]"),
            (limit, _) => format!(" [would be ended by {}: {limit}]", self.text("/rule/name")),
        }
    }

    fn approval(&self, kind: &str) -> String {
        let word = kind.strip_prefix("approval_").unwrap_or(kind);
        let rules = self.0.pointer("/rules").and_then(Value::as_array).into_iter().flatten();
        let rules: Vec<&str> = rules.filter_map(Value::as_str).collect();
        let (id, by, answer) = (self.text("/approval"), self.text("/by"), self.text("/answer"));
        let parties = self.parties();
        let space = if parties.is_empty() { "" } else { " " };
        format!("{STRONG}{word:<9}{STRONG:#} {parties}{space}{id} [{}] {by} {answer}", printable(&rules.join(", ")))
    }

    /// Who calls what; nothing where the record does not say.
    fn parties(&self) -> String {
        let (user, resource, database) = (self.text("/who/user"), self.text("/on/resource"), self.text("/on/database"));
        if user.is_empty() && resource.is_empty() {
            return String::new();
        }
        let slash = if database.is_empty() { "" } else { "/" };
        format!("{user}@{resource}{slash}{database}")
    }

    fn number(&self, path: &str) -> u64 {
        self.0.pointer(path).and_then(Value::as_u64).unwrap_or_default()
    }

    /// A text of the record, on one line and harmless to a terminal; empty where there is none.
    fn text(&self, path: &str) -> String {
        let text = self.0.pointer(path).and_then(Value::as_str).unwrap_or_default();
        printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

pub(super) fn verdict(word: &str) -> Option<Verdict> {
    [Verdict::Allow, Verdict::Mask, Verdict::Approve, Verdict::Block]
        .into_iter()
        .find(|verdict| verdict.to_string() == word)
}
