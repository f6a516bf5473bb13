//! `hoop explain`: what becomes of one command, and why.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use hoop_runtime::diagnostics::printable;
use hoop_runtime::trail::style_word;
use hoop_runtime::{clock, policy_files};
use hoopcore::command::Asked;
use hoopcore::{
    Call, Explanation, Identity, Limit, Rates, Request, Resource, ResourceKind, SessionFacts, Timestamp, Verified,
};

use hoopcore::Truth;
use hoopcore::decision::{EffectNote, FactNote, NearRule, Part, RuleRef};

use super::Failure;
use super::output::{self, FAINT, STRONG};

/// Exit status: 0 whatever the verdict, 2 where the question cannot be asked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoop explain --policy policy.yaml --as etl-7 --group batch-jobs --on orders-db 'DELETE FROM orders'"
)]
pub(super) struct Args {
    /// Policy files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Who asks
    #[arg(long = "as", value_name = "NAME")]
    user: String,
    /// A group of the caller; all of them are to be named
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// The resource
    #[arg(long, value_name = "RESOURCE")]
    on: String,
    /// A label of the resource; all of them are to be named
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// The database
    #[arg(long)]
    database: Option<String>,
    /// Where the connection comes from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// The time of the command; now, where it is left out
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// What the resource speaks, which is what the command is written in
    #[arg(long, value_name = "KIND", default_value = "postgres", value_parser = kind)]
    kind: ResourceKind,
    /// SQL statements, a request such as "GET /v1/orders", or a command line of SSH
    command: String,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn kind(text: &str) -> Result<ResourceKind, String> {
    let known = [
        ("postgres", ResourceKind::Postgres),
        ("http", ResourceKind::Http),
        ("kubernetes", ResourceKind::Kubernetes),
        ("ssh", ResourceKind::Ssh),
    ];
    let found = known.into_iter().find(|(word, _)| *word == text).map(|(_, kind)| kind);
    found.ok_or_else(|| "it is one of postgres, http, kubernetes, ssh".to_owned())
}

/// How many close rules are shown.
const MOST_CLOSE: usize = 10;

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let policy = policy_files::load(&args.policy).map_err(Failure::said)?.policy;
    let (who, on) = (who(args), on(args));
    let (command, session) = (Asked::line(args.kind, &args.command).command(), SessionFacts::default());
    let now = args.now.unwrap_or_else(clock::now);
    let call = Call { source: args.source, rates: Rates::Ignored, ..Call::new(&command, &session, now) };
    let request = Request { who: &who, on: &on, call };
    let decision = policy.evaluate(&request);
    tell(decision.explanation())?;
    facts(args, now)?;
    close(&policy.near(&request), &decision.explanation().rule)?;
    Ok(ExitCode::SUCCESS)
}

fn who(args: &Args) -> Verified<Identity> {
    let identity = Identity::named(&args.user).with_groups(args.group.iter().cloned());
    Verified::vouched(identity, "hoop explain")
}

fn on(args: &Args) -> Resource {
    let named = Resource::postgres(&args.on);
    Resource {
        labels: Some(args.label.iter().cloned().collect()),
        database: args.database.clone(),
        kind: args.kind,
        ..named
    }
}

fn tell(explanation: &Explanation) -> Result<(), Failure> {
    let Explanation { verdict, rule, reason, effects, masks, limits, uncertain } = explanation;
    let mut out = output::out();
    let style = output::style_of(*verdict);
    writeln!(out, "{style}{verdict}{style:#} by {STRONG}{}{STRONG:#}", printable(&rule.to_string()))?;
    if let Some(reason) = reason {
        writeln!(out, "  reason: {}", printable(reason))?;
    }
    if let Some(uncertain) = uncertain {
        writeln!(out, "  not fully understood: {}", printable(uncertain))?;
    }
    for effect in effects {
        let rule = effect.rule.as_ref().map(|rule| format!("  {FAINT}{}{FAINT:#}", printable(&rule.to_string())));
        let (object, facts) = (printable(&effect.object), facts_of(effect));
        writeln!(out, "  {:<9} {object}{facts}{}", effect.verb, rule.unwrap_or_default())?;
    }
    for mask in masks {
        let (column, style) = (printable(&mask.column), style_word(&mask.style));
        writeln!(out, "  mask      {column} as {style}  {FAINT}{}{FAINT:#}", printable(&mask.rule.to_string()))?;
    }
    for Limit { kind, most, rule } in limits.iter() {
        let rule = printable(&rule.to_string());
        writeln!(out, "  limit     {most} {}  {FAINT}{rule}{FAINT:#}", kind.word())?;
    }
    Ok(())
}

/// What is known of an effect beside its verb and object, in brackets.
fn facts_of(effect: &EffectNote) -> String {
    let told = |FactNote { name, value }: &FactNote| format!("{name}: {}", value.as_deref().unwrap_or("not known"));
    let facts: Vec<String> = effect.facts.iter().map(told).collect();
    if facts.is_empty() { String::new() } else { printable(&format!(" ({})", facts.join(", "))) }
}

/// What was known of the request, and what was not.
fn facts(args: &Args, now: Timestamp) -> Result<(), Failure> {
    let listed = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let labels: Vec<String> = args.label.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let unknown = || "not known".to_owned();
    let source = args.source.map_or_else(unknown, |address| address.to_string());
    let known = [
        ("user", args.user.clone()),
        ("groups", listed(&args.group)),
        ("kind", unknown()),
        ("issuer", unknown()),
        ("labels", listed(&labels)),
        ("database", args.database.clone().unwrap_or_else(unknown)),
        ("source", source),
        ("parameters", unknown()),
        ("time", args.now.map_or_else(|| "the clock's".to_owned(), |_| now.to_string())),
    ];
    let mut out = output::out();
    writeln!(out, "{STRONG}facts{STRONG:#}")?;
    for (name, value) in known {
        writeln!(out, "  {name:<10} {}", printable(&value))?;
    }
    Ok(())
}

/// The rules that were close, and what keeps each from counting.
fn close(near: &[NearRule], deciding: &RuleRef) -> Result<(), Failure> {
    let others = near.iter().filter(|near| near.rule != *deciding && near.lacking().next().is_some());
    let others: Vec<&NearRule> = others.take(MOST_CLOSE).collect();
    if others.is_empty() {
        return Ok(());
    }
    let mut out = output::out();
    writeln!(out, "{STRONG}close{STRONG:#}")?;
    for NearRule { rule, action, .. } in &others {
        writeln!(out, "  {} {FAINT}({action}){FAINT:#}", printable(&rule.to_string()))?;
        let near = others.iter().find(|near| near.rule == *rule);
        for line in near.into_iter().flat_map(|near| near.lacking().map(|(part, truth)| why(near, part, truth))) {
            writeln!(out, "    {}", printable(&line))?;
        }
    }
    Ok(())
}

fn why(near: &NearRule, part: Part, truth: Truth) -> String {
    let how = if truth == Truth::May { "is not known to hold" } else { "does not hold" };
    match part {
        Part::Who => format!("`who` {how}: {}", near.who.join(", ")),
        Part::On => format!("`on` {how}: {}", near.on.join(", ")),
        Part::Pattern => "its verbs and objects match none of the effects".to_owned(),
        Part::When => format!("`when` {how}: {}", near.when.join(", ")),
    }
}
