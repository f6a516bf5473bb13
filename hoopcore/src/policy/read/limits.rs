//! Reads how much an allow lets through, and how often.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use super::{Fields, Reader};
use crate::policy::grammar::{self, MOST, Shape};
use crate::policy::node::Value;
use crate::policy::problem::shorten;
use crate::policy::rule::LimitWords;

impl Reader {
    /// The `limits` of an allow.
    pub(super) fn limits(&mut self, fields: &Fields<'_>) -> Option<Box<LimitWords>> {
        let (key, node) = fields.entry("limits")?;
        if ["block", "approve", "mask"].iter().any(|action| fields.get(action).is_some()) {
            let problem = self.problems.error(key.at, "`limits` belongs to an allow");
            problem.help = Some("the limits of every allow that may reach a command hold for it".to_string());
        }
        let limits = self.fields(node, &grammar::LIMITS)?;
        if limits.entries.is_empty() && limits.meant.is_empty() {
            let problem = self.problems.error(node.at, "`limits` is empty: it limits nothing");
            problem.help = Some("give it rows, bytes, seconds or per_minute".to_string());
        }
        if let (Some((rows, _)), Some(Value::Map(protocols))) =
            (limits.entry("rows"), fields.get("allow").map(|node| &node.value))
            && !protocols.iter().any(|(key, _)| key.text() == Some("sql"))
        {
            let problem = self.problems.error(rows.at, "only answers of `sql` have rows");
            problem.help = Some("limit `bytes`, `seconds` or `per_minute`".to_string());
        }
        let mut number = |name| self.limit(&limits, name);
        let (rows, bytes, seconds, per_minute) =
            (number("rows"), number("bytes"), number("seconds"), number("per_minute"));
        let per_minute = per_minute.and_then(|number| u32::try_from(number).ok());
        Some(Box::new(LimitWords { rows, bytes, seconds, per_minute }))
    }

    fn limit(&mut self, limits: &Fields<'_>, name: &str) -> Option<u64> {
        let node = limits.get(name)?;
        let Shape::Number(least, most) = grammar::LIMITS.key(name)?.value else { return None };
        let text = self.one_text(node, &format!("`{name}`"))?;
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let problem = self.problems.error(node.at, format!("`{}` is no number for `{name}`", shorten(text)));
            problem.help = Some(match most {
                MOST => "write a whole number, without a unit".to_string(),
                _ => format!("write a whole number from {least} to {most}"),
            });
        }
        number
    }
}
