//! The keys of a policy file. A key that is added here is read, completed by editors and described in the reference.

use alloc::vec::Vec;

use super::protocols::{HTTP, KUBERNETES, OF_SSH, REQUEST, SSH};
use super::{Key, Map, Shape, Word, words};
use crate::command::sql::Verb;
use crate::decision::Verdict;
use crate::identity::IdentityKind;
use crate::mask::Detector;
use crate::policy::rule::{OnCopy, OnInference, OnUncertain};
use crate::resource::ResourceKind;

/// A whole policy file.
pub static FILE: Map = Map {
    name: "policy",
    noun: "a policy",
    about: "A policy of hoop: rules that say who may do what, and what of the answer is seen. What no rule allows is refused.",
    keys: &[
        Key::required(
            "hoop",
            Shape::Word(|| words(&VERSIONS)),
            "The version of the language.",
            "begin the file with `hoop: 1`, the version of the language",
        ),
        Key::optional(
            "sets",
            Shape::Names(&TEXTS),
            "Names for what several rules share. A rule writes `$name` for all members of a set.",
        ),
        Key::optional(
            "rules",
            Shape::List(&Shape::Map(&RULE)),
            "The rules, in any order: block > approve > mask > allow. A map means \"and\", a list means \"or\".",
        ),
        Key::optional(
            "expect",
            Shape::List(&Shape::Map(&CASE)),
            "Tests of the policy: who asks what, and what is to come out. `hoop test` runs them.",
        ),
    ],
    choice: &[],
};

pub(in crate::policy) static RULE: Map = Map {
    name: "rule",
    noun: "a rule",
    about: "One rule. It reaches an effect of a command when `who`, `on` and `when` hold and its pattern matches.",
    keys: &[
        Key::required(
            "rule",
            Shape::Text,
            "Its name, unique in the policy. Every record and every refusal carries it.",
            "begin the rule with its name: `- rule: jobs-read-orders`",
        ),
        Key::required(
            "who",
            Shape::AnyOf(&WHO),
            "Whom it is about: `anyone`, or a map of facts that all hold, or a list of such maps of which one holds.",
            "say whom the rule is about: `who: { group: batch-jobs }`, or `who: anyone`",
        ),
        Key::required(
            "on",
            Shape::AnyOf(&ON),
            "Which resources it is about: a name or glob, or a map of facts that all hold, or a list.",
            "say what the rule is about: `on: orders-db`, or `on: { kind: postgres }`",
        ),
        Key::optional("allow", COVERED, "Permits these effects. A command runs when all of its effects are covered."),
        Key::optional(
            "block",
            BLOCKED,
            "Refuses every command that may have one of these effects; `all` is everything.",
        ),
        Key::optional(
            "approve",
            APPROVED,
            "Holds the command until people agree. `otherwise` is whatever no allow surely covers. Needs `by`.",
        )
        .with(&["by"]),
        Key::optional("mask", Shape::Map(&MASK), "Hides values on their way back to the caller."),
        Key::optional("by", Shape::Map(&BY), "Who answers for an approve, and how many of them.").with(&["approve"]),
        Key::optional(
            "within",
            Shape::Form("^[0-9]+[smhd]$"),
            "How long an approve waits for its people, as `30s`, `15m`, `8h`, `1d`; then it is refused. 15m where left out.",
        )
        .with(&["approve"]),
        Key::optional(
            "grant",
            Shape::Form("^(once|session|[0-9]+ times|[0-9]+[smhd])$"),
            "How far consent to this very command goes: `once`, `3 times`, a time such as `30m`, or the `session`. \
             `once` where left out.",
        )
        .with(&["approve"]),
        Key::optional(
            "when",
            Shape::OneOrMore(&WHEN),
            "What else must hold: a map of facts that all hold, or a list of such maps of which one holds.",
        ),
        Key::optional(
            "limits",
            Shape::Map(&LIMITS),
            "How much an allow lets through. The smallest limits of all allows that may reach a command hold for it.",
        )
        .with(&["allow"]),
        Key::optional("reason", Shape::Text, "What a refused caller is told, and what records say."),
    ],
    choice: &["allow", "block", "approve", "mask"],
};

pub(super) const TEXTS: Shape = Shape::OneOrMore(&Shape::Text);
static WHO: [Shape; 2] = [Shape::Word(|| words(&EVERYBODY)), Shape::OneOrMore(&WHO_ONE)];
static WHO_ONE: Shape = Shape::Map(&WHO_FACTS);
static ON: [Shape; 2] = [TEXTS, Shape::OneOrMore(&ON_ONE)];
static ON_ONE: Shape = Shape::Map(&ON_FACTS);
static WHEN: Shape = Shape::Map(&WHEN_FACTS);
const COVERED: Shape = Shape::Map(&EFFECTS);
const BLOCKED: Shape = Shape::AnyOf(&[Shape::Word(|| words(&EVERYTHING)), COVERED]);
const APPROVED: Shape = Shape::AnyOf(&[Shape::Word(|| words(&THE_REST)), COVERED]);
const TRUTH: Shape = Shape::OneOrMore(&Shape::Word(|| words(&TRUTHS)));
/// `$name`.
pub(super) const SET: Shape = Shape::Form("^\\$");

pub(in crate::policy) static WHO_FACTS: Map = Map {
    name: "who",
    noun: "`who`",
    about: "Facts about the caller that all hold. What is not known of a caller is neither true nor false: an allow needs it to be surely so.",
    keys: &[
        Key::optional("user", TEXTS, "Its name, or a glob such as `etl-*`, or a list of them."),
        Key::optional("group", TEXTS, "A group that it is in, or a glob, or a list of which one is enough."),
        Key::optional("claim", Shape::Names(&TEXTS), "Claims of its token, by path: `{ ref: refs/heads/main }`."),
        Key::optional("kind", Shape::OneOrMore(&Shape::Word(|| words(&KINDS))), "Whether a person or a program calls."),
        Key::optional(
            "issuer",
            TEXTS,
            "Who vouched for it: the `iss` of its token, such as `https://ci.example`, or a glob.",
        ),
        Key::optional("not", Shape::AnyOf(&WHO), "Holds for everybody else."),
    ],
    choice: &[],
};

pub(in crate::policy) static ON_FACTS: Map = Map {
    name: "on",
    noun: "`on`",
    about: "Facts about the resource that all hold.",
    keys: &[
        Key::optional("name", TEXTS, "Its name, or a glob, or a list of them."),
        Key::optional("kind", Shape::OneOrMore(&Shape::Word(|| words(&RESOURCES))), "What it speaks."),
        Key::optional("labels", Shape::Names(&TEXTS), "Labels that the gateway's file gives it: `{ env: prod }`."),
        Key::optional("database", TEXTS, "The database of it that is used."),
        Key::optional("not", Shape::AnyOf(&ON), "Holds for every other resource."),
    ],
    choice: &[],
};

pub(in crate::policy) static WHEN_FACTS: Map = Map {
    name: "when",
    noun: "`when`",
    about: "Facts about the command and its circumstances that all hold.",
    keys: &[
        Key::optional(
            "unbounded",
            TRUTH,
            "An UPDATE or DELETE whose WHERE is absent, or does not surely limit its rows.",
        ),
        Key::optional("copy", TRUTH, "Rows are moved by COPY."),
        Key::optional("code", TRUTH, "What is defined runs later: a function, a trigger, a rule."),
        Key::optional("query", TEXTS, "A parameter of the HTTP request's query has this name, or a glob, or a list."),
        Key::optional("media", TEXTS, "The media type of the HTTP request's body: `application/json`, `text/*`."),
        Key::optional(
            "time",
            Shape::OneOrMore(&Shape::Map(&WINDOW)),
            "The time of the command lies in a window, or in one of several.",
        ),
        Key::optional("source", TEXTS, "The caller's address: one, or a range such as `10.0.0.0/8`, or a list."),
        Key::optional("claim", Shape::Names(&TEXTS), "Claims of the caller's token, by path."),
        Key::optional(
            "parameters",
            Shape::Names(&TEXTS),
            "Values of bound parameters, by number: `{ 1: shop }` for `$1`.",
        ),
        Key::optional("not", Shape::OneOrMore(&WHEN), "Holds where this does not."),
    ],
    choice: &[],
};

pub(in crate::policy) static WINDOW: Map = Map {
    name: "window",
    noun: "a time window",
    about: "Hours on days of the week. A window over midnight belongs to the day that it starts on.",
    keys: &[
        Key::optional("days", TEXTS, "Days or ranges of days: `mon-fri`, `[sat, sun]`. Every day where left out."),
        Key::optional("from", CLOCK, "The first minute of it: `\"08:00\"`. The begin of the day where left out."),
        Key::optional(
            "to",
            CLOCK,
            "The first minute after it: `\"18:00\"`, or `\"24:00\"`. The end of the day where left out.",
        ),
        Key::optional("zone", Shape::Text, "A time zone of the IANA database: `Europe/Berlin`. UTC where left out."),
    ],
    choice: &[],
};

const CLOCK: Shape = Shape::Form("^([01][0-9]|2[0-4]):[0-5][0-9]$");

pub(in crate::policy) static EFFECTS: Map = Map {
    name: "effects",
    noun: "an action",
    about: "Effects of commands, by protocol.",
    keys: &[
        Key::optional(
            "sql",
            Shape::AnyOf(&[Shape::OneOrMore(&Shape::AnyOf(&[Shape::Word(verbs), SET])), Shape::Words(verbs, &TEXTS)]),
            "Verbs of SQL: alone or in a list for every object, or in a map to the objects: `{ read: public.orders }`.",
        ),
        Key::optional(
            "http",
            HTTP,
            "Methods of HTTP: alone or in a list for every path, or in a map to templates of paths: `{ GET: \"/v1/orders/{id}\" }`.",
        ),
        Key::optional(
            "kubernetes",
            KUBERNETES,
            "Requests to a Kubernetes API server: verbs for everything, or maps in the words of RBAC.",
        ),
        Key::optional(
            "ssh",
            SSH,
            "Commands, files and tunnels of SSH: verbs for everything, or a map to what each is done to.",
        ),
    ],
    choice: &[],
};

/// Twice that is still a number.
pub(in crate::policy) const MOST: u64 = u64::MAX / 2;

pub(in crate::policy) static LIMITS: Map = Map {
    name: "limits",
    noun: "`limits`",
    about: "How much an allow lets through, over a whole answer, and how often.",
    keys: &[
        Key::optional("rows", Shape::Number(1, MOST), "Rows of an answer. One more ends it with an error."),
        Key::optional("bytes", Shape::Number(1, MOST), "Bytes of an answer. More end it with an error."),
        Key::optional("seconds", Shape::Number(1, 86_400), "Seconds for which a command runs; then it is cancelled."),
        Key::optional(
            "per_minute",
            Shape::Number(1, 1_000_000),
            "Commands of one caller within any sixty seconds. More are refused before they run.",
        ),
    ],
    choice: &[],
};

pub(in crate::policy) static BY: Map = Map {
    name: "by",
    noun: "`by`",
    about: "Who answers for an approve: never the caller itself.",
    keys: &[
        Key::required(
            "group",
            Shape::Text,
            "The group that may answer: one that the gateway's file gives an approver.",
            "say who may answer: `by: { group: dba }`",
        ),
        Key::optional("people", Shape::Number(1, 20), "How many different people must agree. 1 where left out."),
    ],
    choice: &[],
};

pub(in crate::policy) static MASK: Map = Map {
    name: "mask",
    noun: "`mask`",
    about: "What is hidden, and how. Of several masks on one value the strictest wins: null > redact > fixed > pseudonym > shift > partial.",
    keys: &[
        Key::optional(
            "columns",
            Shape::Names(&STYLE),
            "Columns, `schema.relation.column` with globs or `$set`, each with its style. A boundary: it goes by origin.",
        ),
        Key::optional(
            "detect",
            Shape::Words(detectors, &STYLE),
            "Kinds of values that are found by their form in text, each with its style. Best effort; `hoop detectors` lists them.",
        ),
        Key::optional(
            "json",
            Shape::Names(&PATHS),
            "Values within columns of JSON: columns, each with paths such as `$.ssn`, `$.people[*].mail`, `$..iban`, and their styles. A boundary, as `columns`.",
        ),
        Key::optional("terminal", Shape::Later, "What a terminal shows."),
        Key::optional("secrets", Shape::Later, "Secrets of Kubernetes."),
        Key::optional(
            "on_uncertain",
            Shape::Word(|| words(&ON_UNCERTAIN)),
            "What becomes of a command of which hoop cannot see whether it reads a masked column. `mask` where left out.",
        ),
        Key::optional(
            "on_inference",
            Shape::Word(|| words(&ON_INFERENCE)),
            "What becomes of a command that could tell a masked value without returning it. `equality` where left out.",
        ),
        Key::optional(
            "on_copy",
            Shape::Word(|| words(&ON_COPY)),
            "What becomes of COPY of a masked column to the client. `block` where left out.",
        ),
    ],
    choice: &[],
};

static PATHS: Shape = Shape::Names(&STYLE);
const STYLE: Shape = Shape::AnyOf(&[Shape::Word(|| words(&STYLES)), Shape::Map(&STYLE_OPTIONS)]);

pub(in crate::policy) static STYLE_OPTIONS: Map = Map {
    name: "style",
    noun: "a style",
    about: "How a value is hidden, with options.",
    keys: &[
        Key::optional("fixed", Shape::Text, "This text stands in place of the value."),
        Key::optional("partial", Shape::Map(&PARTIAL), "The last characters stay, the others become `*`."),
        Key::optional(
            "pseudonym",
            Shape::Map(&DOMAIN),
            "Another value of the same shape, the same for the same value.",
        ),
        Key::optional("shift", Shape::Map(&DOMAIN), "A date is moved by days, as many for all values of the domain."),
    ],
    choice: &["fixed", "partial", "pseudonym", "shift"],
};

pub(in crate::policy) static DOMAIN: Map = Map {
    name: "domain",
    noun: "a style with a key",
    about: "Whose key is used: one of the gateway's `keyring`.",
    keys: &[Key::required(
        "domain",
        Shape::Text,
        "Values of one domain have the same pseudonyms, and are moved by the same number of days.",
        "say which values belong together: `{ domain: customers }`",
    )],
    choice: &[],
};

pub(in crate::policy) static PARTIAL: Map = Map {
    name: "partial",
    noun: "`partial`",
    about: "How much of a value stays.",
    keys: &[Key::required("keep", Shape::Number(0, 64), "How many characters stay.", "say how many: `{ keep: 4 }`")],
    choice: &[],
};

pub(in crate::policy) static CASE: Map = Map {
    name: "case",
    noun: "a case",
    about: "One test: who asks what of which resource, and what is to come out.",
    keys: &[
        Key::required(
            "as",
            Shape::Map(&CALLER),
            "Who asks.",
            "say who asks: `as: { user: etl-7, groups: [batch-jobs] }`",
        ),
        Key::required("on", ASKED, "Of which resource: its name, or a map.", "say of which resource: `on: orders-db`"),
        Key::optional("sql", Shape::Text, "What is asked: SQL."),
        Key::optional("http", REQUEST, "What is asked: a request of HTTP, `GET /v1/orders` or a map."),
        Key::optional(
            "kubernetes",
            REQUEST,
            "What is asked: a request to a Kubernetes API server, `GET /api/v1/pods` or a map.",
        ),
        Key::optional("ssh", OF_SSH, "What is asked of an SSH server: a command line, or a map."),
        Key::optional(
            "parameters",
            VALUES,
            "Values of its parameters, in order; `~` is NULL. Not known where left out.",
        ),
        Key::optional(
            "search_path",
            TEXTS,
            "The schemas that names without schema are looked up in. `public` where left out.",
        ),
        Key::optional("now", Shape::Text, "The time of it: `2026-11-22T09:00:00Z`. The clock's where left out."),
        Key::optional("source", Shape::Text, "The caller's address. Not known where left out."),
        Key::required(
            "verdict",
            Shape::Word(|| words(&VERDICTS)),
            "What is to come out.",
            "say what is to come out: `verdict: allow`, mask, approve or block",
        ),
        Key::optional(
            "rule",
            Shape::Text,
            "The deciding rule; `default` where nothing covers it, `harmless` where no rule is asked.",
        ),
        Key::optional("masked", NAMES, "Exactly the columns that are masked."),
    ],
    choice: &["sql", "http", "kubernetes", "ssh"],
};

const NAMES: Shape = Shape::OneOrMore(&Shape::Text);
const VALUES: Shape = Shape::AnyOf(&[TEXTS, Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Word(|| words(&NULL))]))]);
const ASKED: Shape = Shape::AnyOf(&[Shape::Text, Shape::Map(&TARGET)]);
const NULL: [(&str, (), &str); 2] = [("null", (), "NULL"), ("~", (), "NULL")];

pub(in crate::policy) static CALLER: Map = Map {
    name: "caller",
    noun: "`as`",
    about: "A caller. What is left out is not known, which is not the same as empty.",
    keys: &[
        Key::required("user", Shape::Text, "Its name.", "name the caller: `as: { user: etl-7 }`"),
        Key::optional("kind", Shape::Word(|| words(&KINDS)), "Whether a person or a program asks."),
        Key::optional("issuer", Shape::Text, "Who vouched for it."),
        Key::optional("groups", Shape::OneOrMore(&Shape::Text), "All groups that it is in; `[]` for none."),
        Key::optional("claims", Shape::Names(&Shape::Text), "Claims of its token, by path."),
    ],
    choice: &[],
};

pub(in crate::policy) static TARGET: Map = Map {
    name: "target",
    noun: "`on`",
    about: "A resource.",
    keys: &[
        Key::required("name", Shape::Text, "Its name.", "name the resource: `on: { name: orders-db }`"),
        Key::optional(
            "kind",
            Shape::Word(|| words(&RESOURCES)),
            "What it speaks. Guessed from the command where left out.",
        ),
        Key::optional(
            "labels",
            Shape::Names(&Shape::Text),
            "All of its labels, `{}` where it has none. Not known where left out.",
        ),
        Key::optional("database", Shape::Text, "The database of it that is used."),
    ],
    choice: &[],
};

const VERSIONS: [(&str, (), &str); 1] = [("1", (), "The first version.")];
const EVERYBODY: [(&str, (), &str); 1] = [("anyone", (), "Everybody.")];
const EVERYTHING: [(&str, (), &str); 1] = [("all", (), "Every effect of every protocol.")];
const THE_REST: [(&str, (), &str); 1] = [("otherwise", (), "Whatever no allow surely covers.")];

pub(in crate::policy) const TRUTHS: [(&str, bool, &str); 2] =
    [("true", true, "It is so."), ("false", false, "It is not so.")];
pub(in crate::policy) const KINDS: [(&str, IdentityKind, &str); 2] = [
    ("human", IdentityKind::Human, "A person."),
    ("workload", IdentityKind::Workload, "A job, service account, bot or agent."),
];
pub(in crate::policy) const RESOURCES: [(&str, ResourceKind, &str); 4] = [
    ("postgres", ResourceKind::Postgres, "A PostgreSQL server."),
    ("http", ResourceKind::Http, "An HTTP API."),
    ("kubernetes", ResourceKind::Kubernetes, "A Kubernetes API server."),
    ("ssh", ResourceKind::Ssh, "An SSH host."),
];
pub(in crate::policy) const VERDICTS: [(&str, Verdict, &str); 4] = [
    ("allow", Verdict::Allow, "It runs as it is."),
    ("mask", Verdict::Mask, "It runs, and something of the answer is masked."),
    ("approve", Verdict::Approve, "It waits for people."),
    ("block", Verdict::Block, "It is refused."),
];
pub(in crate::policy) const ON_UNCERTAIN: [(&str, OnUncertain, &str); 2] = [
    ("mask", OnUncertain::Mask, "It runs; what is computed is hidden."),
    ("block", OnUncertain::Block, "It is refused."),
];
pub(in crate::policy) const ON_INFERENCE: [(&str, OnInference, &str); 3] = [
    (
        "equality",
        OnInference::Equality,
        "Comparing with a known value by `=` runs; searching, grouping and joining are refused.",
    ),
    ("allow", OnInference::Allow, "It runs; what is computed is hidden."),
    ("block", OnInference::Block, "It is refused: the bare column may be returned, and nothing else be done with it."),
];
pub(in crate::policy) const ON_COPY: [(&str, OnCopy, &str); 2] =
    [("block", OnCopy::Block, "It is refused."), ("allow", OnCopy::Allow, "It runs; its rows are masked.")];
/// Styles that stand without options.
pub(in crate::policy) const STYLES: [(&str, (), &str); 5] = [
    ("null", (), "NULL."),
    ("redact", (), "`[redacted]`."),
    ("pseudonym", (), "Another value of the same shape, the same for the same value; domain `default`."),
    ("shift", (), "A date is moved by days; domain `default`."),
    ("partial", (), "The last four characters stay."),
];

/// The verbs of SQL, and `*`.
pub(in crate::policy) fn verbs() -> Vec<Word> {
    all_verbs(Verb::ALL.into_iter().map(|verb| Word::new(verb.word(), about(verb))))
}

/// The verbs of a protocol, and `*`.
pub(super) fn all_verbs(verbs: impl Iterator<Item = Word>) -> Vec<Word> {
    verbs.chain([Word::new("*", "Every verb; of an allow or approve without `unknown`.")]).collect()
}

fn detectors() -> Vec<Word> {
    Detector::ALL.into_iter().map(|detector| Word::new(detector.word(), detector.about())).collect()
}

fn about(verb: Verb) -> &'static str {
    match verb {
        Verb::Read => "Reading relations: SELECT, and what WHERE, FROM and RETURNING read.",
        Verb::Insert => "INSERT into a relation.",
        Verb::Update => "UPDATE of a relation.",
        Verb::Delete => "DELETE from a relation.",
        Verb::Truncate => "TRUNCATE of a relation.",
        Verb::Create => "CREATE of anything.",
        Verb::Alter => "ALTER of anything.",
        Verb::Drop => "DROP of anything.",
        Verb::Grant => "GRANT, REVOKE and default privileges.",
        Verb::Role => "Creating, changing and dropping roles.",
        Verb::Set => "Settings that guard something: SET, set_config, SET ROLE.",
        Verb::Call => "Functions and operators that are not shipped and harmless; CALL.",
        Verb::File => "COPY to and from files of the server: absolute paths, `*` within a segment, `/**` for any rest.",
        Verb::Program => "COPY to and from programs of the server.",
        Verb::Maintain => "VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH.",
        Verb::Admin => "ALTER SYSTEM, extensions, servers, databases, two-phase commit.",
        Verb::Lock => "LOCK, FOR UPDATE, advisory locks.",
        Verb::Sequence => "nextval and setval.",
        Verb::Notify => "NOTIFY.",
        Verb::Listen => "LISTEN.",
        Verb::Replicate => "Replication.",
        Verb::Fastpath => "FunctionCall messages.",
        Verb::Session => {
            "What is harmless, and allowed without a rule: transactions, SHOW, constants. Only a block needs it."
        }
        Verb::Unknown => "What hoop could not read. No `*` of an allow or approve includes it.",
    }
}
