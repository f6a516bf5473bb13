//! Reads what a rule does: allow, block, approve or mask.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Fields, Reader};
use crate::decision::RuleRef;
use crate::grant::Terms;
use crate::mask::{ColumnMask, Detector, Domain, JsonMask, JsonPath, Keyring, Style};
use crate::policy::Mentioned;
use crate::policy::grammar::{self, Meanings, ON_COPY, ON_INFERENCE, ON_UNCERTAIN, STYLES};
use crate::policy::node::{Node, Place, Value};
use crate::policy::problem::shorten;
use crate::policy::reach::Sense;
use crate::policy::rule::{Action, Approval, Asked, Masks, OnCopy, OnInference, OnUncertain};

const ACTIONS: [&str; 4] = ["allow", "block", "approve", "mask"];
/// How long an approval is waited for where the rule does not say.
const WITHIN: Duration = Duration::from_secs(15 * 60);
/// How many characters `partial` keeps where the rule does not say.
const KEEP: u8 = 4;

impl Reader {
    /// The one action of a rule.
    pub(super) fn action(&mut self, fields: &Fields<'_>, rule: &RuleRef) -> Option<Action> {
        let mut actions = fields.entries.iter().filter(|(name, ..)| ACTIONS.contains(name));
        let (name, key, node) = match (actions.next(), actions.next()) {
            (Some(action), None) => *action,
            (None, _) if ACTIONS.iter().any(|action| fields.seems_to_have(action)) => return None,
            (None, _) => {
                let problem = self.problems.error(Place { width: 1, ..fields.at }, "the rule does nothing");
                problem.help = Some("give it one of allow, block, approve, mask".to_string());
                return None;
            }
            (Some(_), Some((second, key, _))) => {
                let problem =
                    self.problems.error(key.at, format!("the rule already does something: `{second}` is one too many"));
                problem.help = Some("a rule has exactly one of allow, block, approve, mask".to_string());
                return None;
            }
        };
        if name != "approve" {
            self.only_with_approve(fields);
        }
        match name {
            "allow" => self.reaches(node, Sense::Covers).map(Action::Allow),
            "block" => self.reaches(node, Sense::Refuses).map(Action::Block),
            "approve" => self.approval(fields, key, node),
            _ => self.masks(node, rule).map(Action::Mask),
        }
    }

    fn only_with_approve(&mut self, fields: &Fields<'_>) {
        for (name, key, _) in fields.entries.iter().filter(|(name, ..)| ["by", "within", "grant"].contains(name)) {
            self.problems.error(key.at, format!("`{name}` belongs to an approve"));
        }
    }

    fn approval(&mut self, fields: &Fields<'_>, key: &Node<'_>, node: &Node<'_>) -> Option<Action> {
        let what = match node.text() {
            Some("otherwise") => Some(Asked::Otherwise),
            _ => self.reaches(node, Sense::Covers).map(Asked::Effects),
        };
        let within = fields.get("within").map_or(Some(WITHIN), |within| self.duration(within));
        let by = fields.get("by");
        let is_inside = matches!(&node.value, Value::Map(map) if map.iter().any(|(key, _)| key.text() == Some("by")));
        if by.is_none() && !is_inside {
            let problem = self.problems.error(key.at, "`by` is missing: nobody could answer");
            problem.help = Some("say who may: `by: { group: dba }`".to_string());
        }
        let by = by.and_then(|by| self.by(by));
        let terms = fields.get("grant").map_or(Some(Terms::Once), |grant| self.terms(grant));
        let (group, people) = by?;
        let approval = Approval { what: what?, group, people, within: within?, terms: terms? };
        Some(Action::Approve(Box::new(approval)))
    }

    fn by(&mut self, node: &Node<'_>) -> Option<(Arc<str>, u32)> {
        if let Some(text) = node.text() {
            self.mismatch(node, "`by`", "a map").label = Some(format!("write `{{ group: {} }}`", shorten(text)));
            return None;
        }
        let fields = self.fields(node, &grammar::BY)?;
        let people = fields.get("people").map_or(Some(1), |people| {
            let text = self.one_text(people, "`people`")?;
            let number = text.parse().ok().filter(|number| (1..=20).contains(number));
            if number.is_none() {
                self.problems.error(people.at, format!("`{}` is no number of people from 1 to 20", shorten(text)));
            }
            number
        });
        let node = fields.get("group")?;
        let group = self.one_text(node, "`group`")?;
        if group.starts_with('$') || group.contains('*') {
            let problem = self.problems.error(node.at, format!("`by` asks one group, not `{}`", shorten(group)));
            problem.help = Some(
                "write the name of the group; where each of several must agree, write a rule for each".to_string(),
            );
            return None;
        }
        let group = self.shared.shared(group);
        self.mention(&group, Mentioned::Approver, node.at);
        Some((group, people?))
    }

    fn duration(&mut self, node: &Node<'_>) -> Option<Duration> {
        let text = self.one_text(node, "`within`")?;
        let found = duration(text);
        if found.is_none() {
            let problem = self.problems.error(node.at, format!("`{}` is no time from 1s to 30d", shorten(text)));
            problem.help = Some("write a number with s, m, h or d: `15m`".to_string());
        }
        found
    }

    /// How far consent goes.
    fn terms(&mut self, node: &Node<'_>) -> Option<Terms> {
        let text = self.one_text(node, "`grant`")?;
        let times = || text.strip_suffix(" times")?.trim_end().parse().ok().filter(|times| (2..=1000).contains(times));
        let found = match text {
            "once" => Some(Terms::Once),
            "session" => Some(Terms::Session),
            text => times().map(Terms::Times).or_else(|| duration(text).map(Terms::For)),
        };
        if found.is_none() {
            let problem = self.problems.error(node.at, format!("`{}` is no grant", shorten(text)));
            problem.help = Some(
                "write `once`, `3 times` (from 2 to 1000), a time such as `30m` (from 1s to 30d), or `session`"
                    .to_string(),
            );
        }
        found
    }

    fn masks(&mut self, node: &Node<'_>, rule: &RuleRef) -> Option<Masks> {
        let fields = self.fields(node, &grammar::MASK)?;
        let mut columns = fields.get("columns").map(|columns| self.columns(columns, rule)).unwrap_or_default();
        columns.extend(fields.get("json").map(|json| self.documents(json, rule)).unwrap_or_default());
        let detectors = fields.get("detect").map(|detect| self.detectors(detect)).unwrap_or_default();
        if ["columns", "json", "detect"].iter().all(|key| fields.get(key).is_none()) {
            let problem = self.problems.error(node.at, "the mask hides nothing");
            problem.help = Some("give it `columns`, `json` or `detect`".to_string());
        }
        let on_inference = self.choice(&fields, "on_inference", OnInference::Equality, &ON_INFERENCE);
        let on_uncertain = self.choice(&fields, "on_uncertain", OnUncertain::Mask, &ON_UNCERTAIN);
        let on_copy = self.choice(&fields, "on_copy", OnCopy::Block, &ON_COPY);
        Some(Masks { columns: columns.into(), detectors: detectors.into(), on_inference, on_uncertain, on_copy })
    }

    /// One of several words; without one `usual` holds.
    fn choice<T: Copy>(&mut self, fields: &Fields<'_>, name: &str, usual: T, known: &Meanings<T>) -> T {
        let Some(node) = fields.get(name) else { return usual };
        self.word(node, &format!("value of `{name}`"), known).unwrap_or(usual)
    }

    fn columns(&mut self, node: &Node<'_>, rule: &RuleRef) -> Vec<ColumnMask> {
        let Some(fields) = self.map(node, "`columns`") else { return Vec::new() };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "`columns`");
        }
        let mut masks = Vec::new();
        for (name, key, style) in &fields.entries {
            let texts = self.key_texts(name, key.at);
            let patterns: Vec<_> = texts.iter().filter_map(|text| self.column(text, key.at)).collect();
            let Some(style) = self.style(style) else { continue };
            let mask = |pattern| ColumnMask { pattern, style: style.clone(), rule: rule.clone() };
            masks.extend(patterns.into_iter().map(mask));
        }
        masks
    }

    /// Columns of JSON with the paths in them.
    fn documents(&mut self, node: &Node<'_>, rule: &RuleRef) -> Vec<ColumnMask> {
        let Some(fields) = self.map(node, "`json`") else { return Vec::new() };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "`json`");
        }
        let mut masks = Vec::new();
        for (name, key, paths) in &fields.entries {
            let texts = self.key_texts(name, key.at);
            let patterns: Vec<_> = texts.iter().filter_map(|text| self.column(text, key.at)).collect();
            let style = Style::Json(self.json_paths(paths).into());
            let mask = |pattern| ColumnMask { pattern, style: style.clone(), rule: rule.clone() };
            masks.extend(patterns.into_iter().map(mask));
        }
        masks
    }

    /// Paths in a document, each with its style.
    fn json_paths(&mut self, node: &Node<'_>) -> Vec<JsonMask> {
        let Some(fields) = self.map(node, "the map of paths") else { return Vec::new() };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "the map of paths");
        }
        let mut masks = Vec::new();
        for (text, key, style) in &fields.entries {
            let path = JsonPath::parse(text);
            if let Err(why) = path {
                self.problems.error(key.at, format!("`{}` is no path in JSON: {why}", shorten(text)));
            }
            let read = self.style(style);
            self.no_dates(read.as_ref(), style, "a path finds values of JSON");
            masks.extend(path.ok().zip(read).map(|(path, style)| JsonMask { path, style }));
        }
        masks
    }

    /// `shift` belongs to columns of dates.
    fn no_dates(&mut self, style: Option<&Style>, node: &Node<'_>, instead: &str) {
        if let Some(Style::Shift(_)) = style {
            let problem = self.problems.error(node.at, format!("`shift` moves dates and times; {instead}"));
            problem.help = Some("give it another style, such as `redact` or `pseudonym`".to_string());
        }
    }

    fn detectors(&mut self, node: &Node<'_>) -> Vec<(Detector, Style)> {
        let Some(fields) = self.map(node, "`detect`") else { return Vec::new() };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "`detect`");
        }
        let words = Detector::ALL.map(Detector::word);
        let mut detectors = Vec::new();
        for (name, key, style) in &fields.entries {
            let found = Detector::ALL.into_iter().find(|detector| detector.word() == *name);
            if found.is_none() {
                self.problems.unknown(key.at, "detector", name, &words);
                self.problems.help_with("`hoop detectors` lists them with examples");
            }
            let read = self.style(style);
            self.no_dates(read.as_ref(), style, "a detector finds texts");
            detectors.extend(found.zip(read));
        }
        detectors
    }

    fn style(&mut self, node: &Node<'_>) -> Option<Style> {
        if let Value::Map(_) = &node.value {
            return self.style_with_options(node);
        }
        match self.one_text(node, "a style")? {
            "null" => Some(Style::Null),
            "redact" => Some(Style::Redact),
            "partial" => Some(Style::Partial { keep: KEEP }),
            "fixed" => {
                self.problems.error(node.at, "`fixed` needs its text").label =
                    Some("write `{ fixed: text }`".to_string());
                None
            }
            "pseudonym" => Some(Style::Pseudonym(self.domain(Keyring::DEFAULT, node.at))),
            "shift" => Some(Style::Shift(self.domain(Keyring::DEFAULT, node.at))),
            text => {
                let known: Vec<&str> = STYLES.iter().map(|(word, ..)| *word).chain(["fixed"]).collect();
                self.problems.unknown(node.at, "style", text, &known);
                None
            }
        }
    }

    fn style_with_options(&mut self, node: &Node<'_>) -> Option<Style> {
        let fields = self.fields(node, &grammar::STYLE_OPTIONS)?;
        match fields.entries.as_slice() {
            [("fixed", _, text)] => self.one_text(text, "`fixed`").map(|text| Style::Fixed(text.into())),
            [("partial", _, options)] => {
                let options = self.fields(options, &grammar::PARTIAL)?;
                let keep = options.get("keep")?;
                let text = self.one_text(keep, "`keep`")?;
                let number = text.parse().ok().filter(|keep| *keep <= 64);
                if number.is_none() {
                    self.problems
                        .error(keep.at, format!("`{}` is no number of characters from 0 to 64", shorten(text)));
                }
                number.map(|keep| Style::Partial { keep })
            }
            [("pseudonym", _, options)] => self.domain_of(options).map(Style::Pseudonym),
            [("shift", _, options)] => self.domain_of(options).map(Style::Shift),
            [] if !fields.meant.is_empty() => None,
            _ => {
                self.problems.error(node.at, "one style is expected");
                None
            }
        }
    }

    /// The `domain` of a style with a key.
    fn domain_of(&mut self, options: &Node<'_>) -> Option<Arc<Domain>> {
        let fields = self.fields(options, &grammar::DOMAIN)?;
        let node = fields.get("domain")?;
        let name = self.one_text(node, "`domain`")?;
        Some(self.domain(name, node.at))
    }

    /// A domain with its key, where there are keys at all.
    fn domain(&mut self, name: &str, at: Place) -> Arc<Domain> {
        let Some(keys) = &self.keys else { return Arc::new(Domain::keyless(name)) };
        let domain = keys.domain(name);
        if !domain.has_key() {
            let problem = self.problems.error(at, format!("there is no key for the domain `{}`", shorten(name)));
            problem.help = Some("give it one in `keyring` of the gateway's file, or one called `default`".to_string());
        }
        Arc::new(domain)
    }
}

/// A number with its unit, from a second to thirty days.
fn duration(text: &str) -> Option<Duration> {
    let unit = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let (number, seconds) =
        unit.into_iter().find_map(|(unit, seconds)| text.strip_suffix(unit).map(|number| (number, seconds)))?;
    let seconds = number.parse::<u32>().ok().map(|number| u64::from(number) * seconds)?;
    (1..=30 * 86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}
