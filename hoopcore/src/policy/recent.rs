//! What a session permitted last: the same command in the same circumstances is permitted again without being judged anew.
//!
//! Programs ask for the same few prepared statements again and again. Only what hangs on nothing else is kept: where a rule
//! asks for the time, for a parameter or for a rate, or where names stand for what was prepared, each call is judged.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::rule::{Rule, WhenFact};
use super::standings::Standpoint;
use crate::command::Command;
use crate::decision::{Decision, Granted};
use crate::request::{Call, Exposures, SessionFacts};

/// How many commands are kept.
const KEPT: usize = 8;

/// Longer texts are not, in bytes.
const KEPT_BYTES: usize = 2048;

/// The commands that a session permitted last.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// Whether the same command in the same circumstances is decided the same.
    steady: bool,
    permitted: VecDeque<Permitted>,
}

/// A command, the circumstances that its decision hangs on, and the decision.
#[derive(Clone, Debug)]
struct Permitted {
    command: Command,
    source: Option<IpAddr>,
    search_path: Vec<String>,
    shadows: Arc<BTreeSet<String>>,
    defines: bool,
    exposures: Exposures,
    granted: Granted,
}

impl Recent {
    /// Nothing is kept yet for the rules that a session has.
    pub(super) fn of(session: Standpoint<'_>) -> Self {
        Self { steady: session.standing_rules().all(is_steady), permitted: VecDeque::new() }
    }

    /// The same decision for a call as before, where there was one.
    pub(super) fn again(&self, call: &Call<'_>) -> Option<Decision> {
        let known = self.permitted.iter().find(|permitted| permitted.is_for(call))?;
        Some(known.granted.again(call.now))
    }

    /// Keeps a decision for the calls that follow, where it may be kept.
    pub(super) fn keep(&mut self, call: &Call<'_>, decision: &Decision) {
        if !self.steady || call.command.text().len() > KEPT_BYTES || call.command.stands_for_others() {
            return;
        }
        let Some(granted) = decision.granted() else { return };
        let SessionFacts { search_path, shadows, defines, exposures, .. } = call.session;
        self.permitted.truncate(KEPT - 1);
        self.permitted.push_front(Permitted {
            command: call.command.clone(),
            source: call.source,
            search_path: search_path.clone(),
            shadows: Arc::clone(shadows),
            defines: *defines,
            exposures: exposures.clone(),
            granted,
        });
    }
}

impl Permitted {
    fn is_for(&self, call: &Call<'_>) -> bool {
        let SessionFacts { search_path, shadows, defines, exposures, prepared: _, cursors: _ } = call.session;
        self.command.is_same(call.command)
            && self.source == call.source
            && self.search_path == *search_path
            && Arc::ptr_eq(&self.shadows, shadows)
            && self.defines == *defines
            && are_same(&self.exposures, exposures)
    }
}

fn are_same(one: &Exposures, other: &Exposures) -> bool {
    match (one, other) {
        (Exposures::Assumed, Exposures::Assumed) => true,
        (Exposures::Known(one), Exposures::Known(other)) => Arc::ptr_eq(one, other),
        (Exposures::Assumed | Exposures::Known(_) | Exposures::Unknown, _) => false,
    }
}

/// Whether a rule says the same of the same effect at any time and with any parameters, however often it is asked.
fn is_steady(rule: &Rule) -> bool {
    let moves = |fact: &WhenFact| match fact {
        WhenFact::Time(_) | WhenFact::Parameter(..) => true,
        WhenFact::Unbounded(_)
        | WhenFact::Copy(_)
        | WhenFact::Code(_)
        | WhenFact::Query(_)
        | WhenFact::Media(_)
        | WhenFact::Source(_)
        | WhenFact::Claim(..) => false,
    };
    rule.limits().per_minute.is_none() && !rule.when.facts().into_iter().any(moves)
}
