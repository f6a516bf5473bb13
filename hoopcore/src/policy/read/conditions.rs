//! Reads who, on and when: maps are "and", lists are "or".

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Display;

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Reader;
use crate::policy::Mentioned;
use crate::policy::grammar::{self, KINDS, Map, Meanings, RESOURCES, TRUTHS};
use crate::policy::node::{Node, Value};
use crate::policy::pattern::Glob;
use crate::policy::problem::{nearest, shorten};
use crate::policy::rule::{Condition, Network, NoNetwork, OnFact, WhenFact, WhoFact};
use crate::policy::time::{Days, End, Window, parse_end, parse_time};
use crate::truth::Truth;

impl Reader {
    /// `who`: `anyone`, a map of facts, or a list of such.
    pub(super) fn who(&mut self, node: &Node<'_>) -> Condition<WhoFact> {
        match &node.value {
            Value::Text(text) if text == "anyone" => Condition::always(),
            Value::Text(text) => self.who_text(node, text),
            Value::List(_) | Value::Map(_) | Value::Empty => self.condition(node, &grammar::WHO_FACTS, Self::who_fact),
        }
    }

    fn who_text<F>(&mut self, node: &Node<'_>, text: &str) -> Condition<F> {
        let problem = self.problems.error(node.at, format!("`who` does not know `{}`", shorten(text)));
        problem.label = Some(format!("a group is `{{ group: {} }}`", shorten(text)));
        problem.help = Some("`who` is `anyone`, or a map of user, group, claim, kind, issuer, not".to_string());
        Condition::OneOf(Vec::new())
    }

    fn who_fact(&mut self, key: &str, value: &Node<'_>) -> Condition<WhoFact> {
        match key {
            "user" => self.globs(value, "`user`", WhoFact::User),
            "group" => self.mentioned(value, "`group`", &Mentioned::Caller, WhoFact::Group),
            "issuer" => self.globs(value, "`issuer`", WhoFact::Issuer),
            "kind" => self.words(value, "kind of caller", &KINDS, WhoFact::Kind),
            "claim" => self.paths(value, "`claim`", WhoFact::Claim),
            _ => Condition::Not(Box::new(self.who(value))),
        }
    }

    /// `on`: a name or glob, a map of facts, or a list of such.
    pub(super) fn on(&mut self, node: &Node<'_>) -> Condition<OnFact> {
        let is_name = |node: &Node<'_>| matches!(node.value, Value::Text(_));
        if is_name(node) || (!node.items().is_empty() && node.items().iter().all(is_name)) {
            return self.mentioned(node, "`on`", &Mentioned::Resource, OnFact::Name);
        }
        self.condition(node, &grammar::ON_FACTS, Self::on_fact)
    }

    fn on_fact(&mut self, key: &str, value: &Node<'_>) -> Condition<OnFact> {
        match key {
            "name" => self.mentioned(value, "`name`", &Mentioned::Resource, OnFact::Name),
            "database" => self.mentioned(value, "`database`", &Mentioned::Database, OnFact::Database),
            "kind" => self.words(value, "kind of resource", &RESOURCES, OnFact::Kind),
            "labels" => self.labels(value),
            _ => Condition::Not(Box::new(self.on(value))),
        }
    }

    /// `when`: a map of facts, or a list of such.
    pub(super) fn when(&mut self, node: &Node<'_>) -> Condition<WhenFact> {
        let before = self.problems.count();
        let condition = self.condition(node, &grammar::WHEN_FACTS, Self::when_fact);
        if self.problems.count() == before && !may_ever_hold(&condition) {
            let problem = self.problems.error(node.at, "the times of this `when` never come");
            problem.help =
                Some("a map means \"and\": no moment lies in all of its windows; write a list for \"or\"".to_string());
        }
        condition
    }

    fn when_fact(&mut self, key: &str, value: &Node<'_>) -> Condition<WhenFact> {
        match key {
            "unbounded" => self.words(value, "truth value", &TRUTHS, WhenFact::Unbounded),
            "copy" => self.words(value, "truth value", &TRUTHS, WhenFact::Copy),
            "code" => self.words(value, "truth value", &TRUTHS, WhenFact::Code),
            "query" => self.globs(value, "`query`", WhenFact::Query),
            "media" => self.globs(value, "`media`", WhenFact::Media),
            "time" => self.any(value, |reader, window| reader.window(window)),
            "source" => self.any(value, Self::network),
            "claim" => self.paths(value, "`claim`", WhenFact::Claim),
            "parameters" => self.parameters(value),
            _ => Condition::Not(Box::new(self.when(value))),
        }
    }

    /// A map of facts, all of which must hold, or a list of alternatives.
    fn condition<F: Display>(
        &mut self,
        node: &Node<'_>,
        map: &'static Map,
        fact: fn(&mut Self, &str, &Node<'_>) -> Condition<F>,
    ) -> Condition<F> {
        if let Value::List(items) = &node.value {
            if items.is_empty() {
                self.empty::<()>(node.at, map.noun);
            }
            return Condition::one_of(items.iter().map(|item| self.one_condition(item, map, fact)));
        }
        self.one_condition(node, map, fact)
    }

    fn one_condition<F: Display>(
        &mut self,
        node: &Node<'_>,
        map: &'static Map,
        fact: fn(&mut Self, &str, &Node<'_>) -> Condition<F>,
    ) -> Condition<F> {
        let nothing = Condition::OneOf(Vec::new());
        if matches!(&node.value, Value::Empty) || matches!(&node.value, Value::Map(map) if map.is_empty()) {
            let problem = self.problems.error(node.at, format!("{} is empty", map.noun));
            problem.help = (map.name == "who").then(|| "for everybody write `who: anyone`".to_string());
            return nothing;
        }
        let Some(fields) = self.fields(node, map) else { return nothing };
        let before = self.problems.count();
        let condition = Condition::all(fields.entries.iter().map(|(key, _, value)| fact(self, key, value)));
        if let (Some((key, _)), true) = (fields.entry("not"), self.problems.count() == before)
            && contradicts_itself(&condition)
        {
            let message = format!("{} asks for something and for its opposite", map.noun);
            self.problems.warning(key.at, message).help =
                Some("a map means \"and\": where the facts are known, this never holds".to_string());
        }
        condition
    }

    /// Alternatives: each item of a list, or the one that stands alone.
    fn any<F>(&mut self, node: &Node<'_>, one: impl Fn(&mut Self, &Node<'_>) -> Option<F>) -> Condition<F> {
        if node.items().is_empty() {
            self.empty::<()>(node.at, "this list");
        }
        Condition::one_of(node.items().iter().filter_map(|item| one(self, item)).map(Condition::Is))
    }

    fn globs<F>(&mut self, node: &Node<'_>, what: &str, fact: fn(Glob) -> F) -> Condition<F> {
        let texts = self.texts(node, what);
        Condition::one_of(texts.into_iter().map(|(text, _)| Condition::Is(fact(Glob::new(text)))))
    }

    /// Names that are taken down, each with its place.
    fn mentioned<F>(&mut self, node: &Node<'_>, what: &str, of: &Mentioned, fact: impl Fn(Glob) -> F) -> Condition<F> {
        let texts = self.texts(node, what);
        texts.iter().for_each(|(text, at)| self.mention(text, of.clone(), *at));
        Condition::one_of(texts.into_iter().map(|(text, _)| Condition::Is(fact(Glob::new(text)))))
    }

    /// A map from names of labels to values, all of which must match.
    fn labels(&mut self, node: &Node<'_>) -> Condition<OnFact> {
        let Some(fields) = self.map(node, "`labels`") else { return Condition::OneOf(Vec::new()) };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "`labels`");
        }
        Condition::all(fields.entries.iter().map(|(name, _, values)| {
            let name = self.shared.shared(name);
            let of = Mentioned::Label(Arc::clone(&name));
            self.mentioned(values, "`labels`", &of, |value| OnFact::Label(Arc::clone(&name), value))
        }))
    }

    fn words<F, T: Copy>(
        &mut self,
        node: &Node<'_>,
        what: &str,
        known: &Meanings<T>,
        fact: fn(T) -> F,
    ) -> Condition<F> {
        self.any(node, |reader, item| reader.word(item, what, known).map(fact))
    }

    /// A map from names to values, all of which must match.
    fn paths<F>(&mut self, node: &Node<'_>, what: &str, fact: fn(Arc<str>, Glob) -> F) -> Condition<F> {
        let Some(fields) = self.map(node, what) else { return Condition::OneOf(Vec::new()) };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, what);
        }
        Condition::all(fields.entries.iter().map(|(name, _, values)| {
            let name = self.shared.shared(name);
            let one = |(text, _)| Condition::Is(fact(Arc::clone(&name), Glob::new(text)));
            Condition::one_of(self.texts(values, what).into_iter().map(one))
        }))
    }

    fn parameters(&mut self, node: &Node<'_>) -> Condition<WhenFact> {
        let Some(fields) = self.map(node, "`parameters`") else { return Condition::OneOf(Vec::new()) };
        if fields.entries.is_empty() {
            self.empty::<()>(node.at, "`parameters`");
        }
        let mut all = Vec::new();
        for (name, key, values) in &fields.entries {
            let Some(number) = name.parse().ok().filter(|number| (1..=65_535).contains(number)) else {
                let problem = self.problems.error(key.at, format!("`{}` is no parameter", shorten(name)));
                problem.help = Some("write the number of the parameter: `1` for `$1`".to_string());
                continue;
            };
            let texts = self.texts(values, "`parameters`");
            let one = |(text, _)| Condition::Is(WhenFact::Parameter(number, Glob::new(text)));
            all.push(Condition::one_of(texts.into_iter().map(one)));
        }
        Condition::all(all)
    }

    fn network(&mut self, node: &Node<'_>) -> Option<WhenFact> {
        let text = self.one_text(node, "`source`")?;
        let why = match Network::parse(text) {
            Ok(network) => return Some(WhenFact::Source(network)),
            Err(why) => why,
        };
        let problem = self.problems.error(node.at, format!("`{}` is no address range", shorten(text)));
        problem.help = Some(match why {
            NoNetwork::Unread => "write an address, or a range such as `10.0.0.0/8` or `fd00::/8`".to_string(),
            NoNetwork::Within(range) => format!("write the range that it lies in, `{range}`, or the address alone"),
            NoNetwork::Mapped => "addresses of IPv4 count as such: write their range, such as `10.0.0.0/8`".to_string(),
        });
        None
    }

    fn window(&mut self, node: &Node<'_>) -> Option<WhenFact> {
        let fields = self.fields(node, &grammar::WINDOW)?;
        let days = fields.get("days").map_or(Some(Days::ALL), |days| self.days(days));
        let from = fields.get("from").map(|from| self.time(from, parse_time));
        let to = fields.get("to").map(|to| self.time(to, parse_end));
        let zone = fields.get("zone").map_or(Some((TimeZone::UTC, "UTC".to_string())), |zone| self.zone(zone));
        if from.is_none() && to.is_none() && fields.get("days").is_none() {
            self.problems.error(node.at, "the time window is empty").help =
                Some("give it days, or from and to".to_string());
            return None;
        }
        let hours = match (from, to) {
            (None, None) => None,
            (from, to) => Some((from.unwrap_or(Some(Time::midnight()))?, to.unwrap_or(Some(End::Midnight))?)),
        };
        if let Some((from, End::At(to))) = hours.filter(|(from, to)| *to == End::At(*from)) {
            let message = format!("the time window is empty: it begins and ends at {}", to.strftime("%H:%M"));
            let midnight = from == Time::midnight();
            let help = if midnight { "the end of a day is `24:00`" } else { "leave both out for whole days" };
            self.problems.error(node.at, message).help = Some(help.to_string());
            return None;
        }
        let (days, (zone, zone_name)) = (days?, zone?);
        Some(WhenFact::Time(Box::new(Window { days, hours, zone, zone_name })))
    }

    fn time<T>(&mut self, node: &Node<'_>, parse: fn(&str) -> Option<T>) -> Option<T> {
        let text = self.one_text(node, "a time of day")?;
        let time = parse(text);
        if time.is_none() {
            let problem = self.problems.error(node.at, format!("`{}` is no time of day", shorten(text)));
            problem.help =
                Some("write hours and minutes: `\"08:00\"`, `\"17:30\"`, and `\"24:00\"` for an end".to_string());
        }
        time
    }

    fn days(&mut self, node: &Node<'_>) -> Option<Days> {
        let mut days = Days::none();
        for (text, at) in self.texts(node, "`days`") {
            let (from, to) = text.split_once('-').unwrap_or((&text, &text));
            let day = |word: &str| Days::WORDS.iter().position(|day| *day == word.trim());
            match day(from).zip(day(to)) {
                Some((from, to)) => days = days.with(from, to),
                None => {
                    let wrong = if day(from).is_none() { from } else { to };
                    self.problems.unknown(at, "day", wrong, &Days::WORDS);
                }
            }
        }
        Some(days)
    }

    fn zone(&mut self, node: &Node<'_>) -> Option<(TimeZone, String)> {
        let text = self.one_text(node, "`zone`")?;
        match TimeZoneDatabase::bundled().get(text) {
            Ok(zone) => Some((zone, text.to_string())),
            Err(_) => {
                let label = zone_like(text).map(|zone| format!("did you mean `{zone}`?"));
                let problem = self.problems.error(node.at, format!("unknown time zone `{}`", shorten(text)));
                problem.label = label;
                problem.help = Some("write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_string());
                None
            }
        }
    }
}

/// The time zone that a text nearly names, or the city of which it is.
fn zone_like(text: &str) -> Option<String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let city = |name: &&String| name.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(text));
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    names.iter().find(city).cloned().or_else(|| nearest(text, &known).map(ToString::to_string))
}

/// Facts of a condition that are tried out together, at most.
const TRIED: usize = 8;

/// Whether a condition holds in no case, whichever of its facts hold: those that read the same are the same.
fn contradicts_itself<F: Display>(condition: &Condition<F>) -> bool {
    let facts: BTreeSet<String> = condition.facts().into_iter().map(ToString::to_string).collect();
    let facts: Vec<String> = facts.into_iter().collect();
    if facts.len() > TRIED {
        return false;
    }
    let holds = |case: u32| {
        let truth = condition.truth(&|fact| {
            let text = fact.to_string();
            let place = facts.iter().position(|known| *known == text);
            place.map_or(Truth::May, |place| (case >> place & 1 == 1).into())
        });
        truth.is_possible()
    };
    !(0..1_u32 << facts.len()).any(holds)
}

/// Whether there is a moment at which a condition may hold. Windows begin and end at the same times each week, so their
/// edges in a winter and in a summer week stand for all moments.
fn may_ever_hold(condition: &Condition<WhenFact>) -> bool {
    let windows: Vec<&Window> = condition.facts().into_iter().filter_map(window).collect();
    // Between zones the distance changes with the rules for summer time, in some weeks of some years.
    let in_one_zone = windows.windows(2).all(|pair| matches!(pair, [one, other] if one.zone_name == other.zone_name));
    if windows.len() < 2 || !in_one_zone {
        return true;
    }
    let mut moments = windows.iter().flat_map(|window| window.edges());
    moments.any(|now| {
        let truth = condition.truth(&|fact| match fact {
            WhenFact::Time(window) => window.holds(now).into(),
            _ => Truth::May,
        });
        truth.is_possible()
    })
}

fn window(fact: &WhenFact) -> Option<&Window> {
    if let WhenFact::Time(window) = fact { Some(window) } else { None }
}
