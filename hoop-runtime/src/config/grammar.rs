//! The keys of the gateway's own file. A key that is added here is read, completed by editors and described in docs/gateway.md.

use hoopcore::policy::grammar::{Key, Map, Meanings, Shape, words};
use hoopcore::{IdentityKind, ResourceKind};

use super::{Enforcement, LoginMethod, Method, OpenTo, Plaintext, Protocol, Verify};
use crate::trail::Mode;

const TEXTS: Shape = Shape::OneOrMore(&Shape::Text);
const TRUTH: Shape = Shape::Word(|| words(TRUTHS));
const DURATION: Shape = Shape::Text;

/// The whole file.
pub static FILE: Map = Map {
    name: "gateway",
    noun: "the gateway's file",
    about: "A gateway of hoop: where it listens, what it protects, who may come in, where its records go. \
            Relative paths begin at the folder of this file.",
    keys: &[
        Key::required("policy", TEXTS, "The files that are the policy, together.", "write `policy: [policy.yaml]`"),
        Key::required(
            "audit",
            Shape::Map(&AUDIT),
            "Where records go. Nothing is carried out before its record is safe.",
            "write `audit: { directory: audit }`",
        ),
        Key::optional(
            "identities",
            Shape::Names(&Shape::Map(&IDENTITY)),
            "Callers who come in with a password or a certificate, by the name of the database user that they log in as.",
        ),
        Key::optional(
            "issuers",
            Shape::Names(&Shape::Map(&ISSUER)),
            "Whose tokens let callers in. The name stands before their groups: `issuer/group`.",
        ),
        Key::optional(
            "keyring",
            Shape::Names(&SECRET),
            "Keys of pseudonyms and shifts, by the domain that masks name; `default` serves those that have none of their own. \
             A policy that needs a key and finds none does not load.",
        ),
        Key::required(
            "listeners",
            Shape::OneOrMore(&Shape::Map(&LISTENER)),
            "Where clients connect.",
            "write `listeners: [{ protocol: postgres, address: \"127.0.0.1:6432\", resource: orders-db }]`",
        ),
        Key::required(
            "resources",
            Shape::Names(&Shape::Map(&RESOURCE)),
            "What is protected, by the name that rules write after `on:`.",
            "name what is protected: `resources: { orders-db: { kind: postgres, ... } }`",
        ),
        Key::optional(
            "approvals",
            Shape::Map(&APPROVALS),
            "Who answers for held commands, and where. Without it nobody can.",
        ),
        Key::optional(
            "cancel",
            Shape::Map(&CANCEL),
            "What several instances share, so that each carries out cancel requests that belong to another.",
        ),
        Key::optional(
            "admin",
            Shape::Map(&ADMIN),
            "Where metrics and the gateway's health are told. Nowhere where left out.",
        ),
    ],
    choice: &[],
};

pub(super) static CANCEL: Map = Map {
    name: "cancel",
    noun: "`cancel`",
    about: "How cancel requests find their session among several instances of a gateway.",
    keys: &[
        Key::required(
            "key",
            SECRET,
            "What seals the keys that clients are given: the same for all instances, at least 32 characters.",
            "make one with `openssl rand -hex 32 > cancel.key`, and write `key: { file: cancel.key }`",
        ),
        Key::required(
            "instance",
            Shape::Number(1, 127),
            "The number of this instance: another for each.",
            "give each instance a number: `instance: 1`",
        ),
        Key::optional(
            "peers",
            Shape::Names(&Shape::Text),
            "Where the other instances listen, by their numbers: `{ 2: \"gw-2.internal:6432\" }`.",
        ),
    ],
    choice: &[],
};

pub(super) static ADMIN: Map = Map {
    name: "admin",
    noun: "`admin`",
    about: "Metrics for Prometheus under `/metrics`, and `/health`: 200 while commands can be carried out, 503 while the \
            gateway is ending or its trail cannot be written. Plain HTTP without a login: bind it to loopback or to a \
            network of your own.",
    keys: &[Key::required("address", Shape::Text, "An IP address and a port.", "write `address: \"127.0.0.1:9464\"`")],
    choice: &[],
};

pub(super) static AUDIT: Map = Map {
    name: "audit",
    noun: "`audit`",
    about: "The audit trail.",
    keys: &[
        Key::required("directory", Shape::Text, "The folder of the trail's files.", "write `directory: audit`"),
        Key::optional("mode", Shape::Word(|| words(MODES)), "When a record counts as safe. `durable` where left out."),
    ],
    choice: &[],
};

pub(super) static IDENTITY: Map = Map {
    name: "identity",
    noun: "an identity",
    about: "A caller who comes in with a password, a certificate, or either.",
    keys: &[
        Key::optional(
            "kind",
            Shape::Word(|| words(KINDS)),
            "Whether it is a person or a program. Not known where left out.",
        ),
        Key::optional("groups", TEXTS, "All groups that it is in; none where left out."),
        Key::optional(
            "password",
            SECRET,
            "The password that proves it, or what PostgreSQL keeps of one: `SCRAM-SHA-256$4096:...`.",
        ),
        Key::optional(
            "certificate",
            Shape::Map(&CERTIFICATE_NAMES),
            "The names in a client's certificate that prove it, each by itself.",
        ),
    ],
    choice: &[],
};

pub(super) static CERTIFICATE_NAMES: Map = Map {
    name: "certificate_names",
    noun: "`certificate`",
    about: "Names in a client's certificate.",
    keys: &[
        Key::optional("cn", TEXTS, "The common name of its subject."),
        Key::optional("dns", TEXTS, "A host name among its alternative names."),
        Key::optional("uri", TEXTS, "A URI among its alternative names, such as a SPIFFE ID."),
        Key::optional("email", TEXTS, "A mail address among its alternative names."),
    ],
    choice: &[],
};

const SECRET: Shape = Shape::Map(&SECRET_SOURCE);

pub(super) static SECRET_SOURCE: Map = Map {
    name: "secret",
    noun: "a secret",
    about: "Where a secret comes from. It is never written in the file itself.",
    keys: &[
        Key::optional("env", Shape::Text, "The environment variable that holds it."),
        Key::optional("file", Shape::Text, "The file that holds it; one line end after it is left out."),
    ],
    choice: &["env", "file"],
};

pub(super) static ISSUER: Map = Map {
    name: "issuer",
    noun: "an issuer",
    about: "An issuer of tokens (JWT), and what is expected of them.",
    keys: &[
        Key::required(
            "url",
            Shape::Text,
            "The issuer: exactly the `iss` of its tokens.",
            "write the `iss` of its tokens",
        ),
        Key::required(
            "audience",
            TEXTS,
            "The `aud` that tokens for this gateway bear, or a list of which one is enough.",
            "name what its tokens are for: `audience: hoop`",
        ),
        Key::optional(
            "shared_audience",
            TRUTH,
            "Whether tokens that name other audiences as well are taken. `true` where left out.",
        ),
        Key::required(
            "keys",
            Shape::Map(&ISSUER_KEYS),
            "Where its public keys come from.",
            "write `keys: { url: URL }` with its `jwks_uri`, or `keys: { file: PATH }`",
        ),
        Key::optional(
            "algorithms",
            Shape::OneOrMore(&Shape::Word(|| words(super::read::ALGORITHMS))),
            "The signature algorithms that are taken. Those with public keys where left out.",
        ),
        Key::optional(
            "token_types",
            Shape::OneOrMore(&Shape::Word(|| words(super::read::TOKEN_TYPES))),
            "The `typ` that tokens may bear.",
        ),
        Key::optional("kind", Shape::Word(|| words(KINDS)), "Whether its callers are persons or programs."),
        Key::optional("groups_from", Shape::Text, "The path of the claim that lists a caller's groups."),
        Key::optional("group_from", Shape::Text, "The path of the claim that is a caller's one group."),
        Key::optional(
            "groups",
            Shape::Names(&Shape::Text),
            "Plain names for its groups: `{ platform: dba }`. Others are called `issuer/group`, so no issuer can make another's.",
        ),
        Key::optional("require", Shape::Names(&TEXTS), "Claims that a token must bear, by path, each with its values."),
        Key::optional("leeway", DURATION, "How far the clocks may differ: `30s`."),
        Key::optional("longest_life", DURATION, "The longest time from issue to expiry: `1h`."),
        Key::optional(
            "longest_token",
            Shape::Number(1, 65_535),
            "The longest token, in bytes. `16384` where left out.",
        ),
    ],
    choice: &[],
};

pub(super) static ISSUER_KEYS: Map = Map {
    name: "issuer_keys",
    noun: "`keys`",
    about: "Where public keys come from: a file or an address.",
    keys: &[
        Key::optional("file", Shape::Text, "A JWKS document on disk."),
        Key::optional("url", Shape::Text, "The issuer's `jwks_uri`."),
        Key::optional(
            "ca",
            Shape::Text,
            "With `url`: the authorities that are trusted, PEM. Those of the system where left out.",
        ),
    ],
    choice: &["file", "url"],
};

pub(super) static LISTENER: Map = Map {
    name: "listener",
    noun: "a listener",
    about: "A place where clients connect.",
    keys: &[
        Key::required("protocol", Shape::Word(|| words(PROTOCOLS)), "What it speaks.", "write `protocol: postgres`"),
        Key::required(
            "address",
            Shape::Text,
            "An IP address and a port, `\"127.0.0.1:6432\"`, or the path of a Unix socket.",
            "write `address: \"127.0.0.1:6432\"`",
        ),
        Key::optional(
            "tls",
            Shape::Map(&CERTIFICATE),
            "The gateway's certificate. Without it the listener speaks plain text.",
        ),
        Key::optional(
            "plaintext",
            Shape::Word(|| words(PLAINTEXTS)),
            "Who may send a password over TCP in plain text. `refused` where left out.",
        ),
        Key::optional(
            "login",
            Shape::Word(|| words(LOGINS)),
            "How clients show who they are that have no certificate. `password` where left out.",
        ),
        Key::optional(
            "resource",
            Shape::Text,
            "The one resource that it serves. Where left out, the client's database is `resource` or `resource/database`.",
        ),
        Key::optional(
            "replication",
            TRUTH,
            "Whether clients may connect for replication; what they may replicate, rules with the verb `replicate` say. \
             `false` where left out.",
        ),
        Key::optional("timeouts", Shape::Map(&CLIENT_TIMEOUTS), "How long it waits for its clients."),
        Key::optional("limits", Shape::Map(&CLIENT_LIMITS), "How many clients it takes at once."),
        Key::optional(
            "open_to",
            Shape::Word(|| words(OPENINGS)),
            "Who may connect to its Unix socket. `owner` where left out. To other listeners it means nothing.",
        ),
    ],
    choice: &[],
};

/// More connections than one process can have.
pub(super) const MOST_CLIENTS: u64 = 1_000_000;
const HOW_MANY: Shape = Shape::Number(1, MOST_CLIENTS);

pub(super) static CLIENT_LIMITS: Map = Map {
    name: "client_limits",
    noun: "`limits`",
    about: "How many clients may be connected to a listener at once. Whoever comes beyond gets the error `53300`, or, where many \
            do, no answer. Requests to cancel have some places of their own.",
    keys: &[
        Key::optional("clients", HOW_MANY, "All clients. `10000` where left out."),
        Key::optional("logins", HOW_MANY, "Those that have not shown who they are yet. `1000` where left out."),
        Key::optional(
            "logins_per_address",
            HOW_MANY,
            "Of those, from one IP address, or from one network of IPv6 (/64). `200` where left out; more where many come through one proxy.",
        ),
    ],
    choice: &[],
};

pub(super) static CLIENT_TIMEOUTS: Map = Map {
    name: "client_timeouts",
    noun: "`timeouts`",
    about: "How long a listener waits for its clients, as durations: `30s`, `15m`.",
    keys: &[
        Key::optional(
            "login",
            DURATION,
            "For a client to show who it is; then it gets the error `57014` and is closed. `10s` where left out.",
        ),
        Key::optional(
            "keepalive",
            DURATION,
            "Without a byte, until the system asks over TCP whether the client is still there; one that does not answer is gone. \
             `60s` where left out.",
        ),
    ],
    choice: &[],
};

pub(super) static CERTIFICATE: Map = Map {
    name: "certificate",
    noun: "`tls`",
    about: "A certificate chain and its private key.",
    keys: &[
        Key::required("certificate", Shape::Text, "The file with the chain, PEM.", "write `certificate: gateway.crt`"),
        Key::required("key", Shape::Text, "The file with the key, PEM.", "write `key: gateway.key`"),
        Key::optional("clients", Shape::Map(&CLIENTS), "Clients are asked for certificates of their own."),
    ],
    choice: &[],
};

pub(super) static CLIENTS: Map = Map {
    name: "clients",
    noun: "`clients`",
    about: "What is expected of clients' certificates. Whom their names stand for, `identities` say.",
    keys: &[
        Key::required("ca", Shape::Text, "The authorities that sign them, PEM.", "write `ca: clients.pem`"),
        Key::optional(
            "required",
            TRUTH,
            "Whether a client without one is turned away. `false` where left out: it shows a password or a token.",
        ),
    ],
    choice: &[],
};

pub(super) static RESOURCE: Map = Map {
    name: "resource",
    noun: "a resource",
    about: "A protected server.",
    keys: &[
        Key::required("kind", Shape::Word(|| words(RESOURCES)), "What it speaks.", "write `kind: postgres`"),
        Key::required(
            "address",
            Shape::Text,
            "A host and a port, `db.internal:5432`, or the folder of a Unix socket. Certificates are checked against the host.",
            "write `address: db.internal:5432`",
        ),
        Key::required(
            "databases",
            TEXTS,
            "The databases that may be used.",
            "name those that may be used: `databases: [shop]`",
        ),
        Key::optional(
            "labels",
            Shape::Names(&Shape::Text),
            "Labels that rules can name: `{ env: prod }`. Left out, it surely has none.",
        ),
        Key::optional("mode", Shape::Word(|| words(OPERATION)), "What becomes of decisions. `enforce` where left out."),
        Key::optional(
            "tls",
            Shape::Map(&UPSTREAM_TLS),
            "How the way to it is protected. `verify: full` where left out.",
        ),
        Key::required(
            "credential",
            Shape::Map(&CREDENTIAL),
            "As whom the gateway logs in: one role with few privileges. Clients never see it.",
            "write `credential: { user: app, password: { env: NAME } }`",
        ),
        Key::optional("timeouts", Shape::Map(&SESSION_TIMEOUTS), "How long sessions on it wait."),
    ],
    choice: &[],
};

pub(super) static SESSION_TIMEOUTS: Map = Map {
    name: "session_timeouts",
    noun: "`timeouts`",
    about: "How long sessions on a resource wait, as durations: `30s`, `15m`. What ends by a time-out goes on record. What is \
            held for approval waits as long as its rule says, and a replication stream as long as both sides wish.",
    keys: &[
        Key::optional("connect", DURATION, "For the server to take a connection and the login. `20s` where left out."),
        Key::optional(
            "keepalive",
            DURATION,
            "Without a byte, until the system asks over TCP whether the server is still there. `60s` where left out.",
        ),
        Key::optional(
            "idle",
            DURATION,
            "For the client's next command outside of a transaction; then the session ends with `57P05`. For ever where left out.",
        ),
        Key::optional(
            "idle_in_transaction",
            DURATION,
            "For the client's next command within a transaction; then the session ends with `25P03`. For ever where left out.",
        ),
        Key::optional(
            "statement",
            DURATION,
            "For the server to be done with a query or a step of a sequence, the client's reading of it included; then it is \
             cancelled and fails with `57014`. For ever where left out.",
        ),
    ],
    choice: &[],
};

pub(super) static UPSTREAM_TLS: Map = Map {
    name: "upstream_tls",
    noun: "`tls`",
    about: "How the way to a server is protected.",
    keys: &[
        Key::optional(
            "verify",
            Shape::Word(|| words(VERIFICATIONS)),
            "What is checked of its certificate. `full` where left out.",
        ),
        Key::optional("ca", Shape::Text, "The authorities that are trusted, PEM. Those of the system where left out."),
        Key::optional(
            "direct",
            TRUTH,
            "Whether TLS begins at once, without asking for it, as servers know it since PostgreSQL 17. `false` where left out.",
        ),
    ],
    choice: &[],
};

pub(super) static CREDENTIAL: Map = Map {
    name: "credential",
    noun: "`credential`",
    about: "A role of the server and its password.",
    keys: &[
        Key::required("user", Shape::Text, "The role.", "name the role: `user: app`"),
        Key::optional(
            "password",
            SECRET,
            "Its password. Without it the server must let the gateway in by other means.",
        ),
        Key::optional(
            "methods",
            Shape::OneOrMore(&Shape::Word(|| words(METHODS))),
            "How the password may be proved. `scram` where left out: a server that does not ask for it is not used.",
        ),
    ],
    choice: &[],
};

pub(super) static APPROVALS: Map = Map {
    name: "approvals",
    noun: "`approvals`",
    about: "Who answers for held commands. `hoop approvals` speaks to the socket; who is at its other end, the operating system says.",
    keys: &[
        Key::required("socket", Shape::Text, "The path of the Unix socket.", "write `socket: approvals.sock`"),
        Key::optional("group", TRUTH, "Whether the group of the socket's file may use it too. `false` where left out."),
        Key::required(
            "approvers",
            Shape::Names(&Shape::Map(&APPROVER)),
            "Who may answer, by operating-system user.",
            "name who may answer: `approvers: { alice: { groups: [dba] } }`",
        ),
    ],
    choice: &[],
};

pub(super) static APPROVER: Map = Map {
    name: "approver",
    noun: "an approver",
    about: "A person who may answer, for everybody but itself: for no caller of a name that stands here, from whatever issuer, in letters of either case.",
    keys: &[
        Key::optional("name", Shape::Text, "The name that records carry. The operating-system user where left out."),
        Key::optional(
            "identities",
            TEXTS,
            "The names under which the same person calls, as tokens and `identities` give them: for those it does not answer, nor for its `name` and its operating-system user. `[]` where it calls under no other name.",
        ),
        Key::required(
            "groups",
            TEXTS,
            "Groups, which rules name after `by:`.",
            "say for which groups it answers: `groups: [dba]`",
        ),
    ],
    choice: &[],
};

pub(super) const TRUTHS: &Meanings<bool> = &[("true", true, "Yes."), ("false", false, "No.")];
pub(super) const MODES: &Meanings<Mode> = &[
    ("durable", Mode::Durable, "Synced to the disk: it survives a power cut."),
    ("written", Mode::Written, "Handed to the kernel: it survives the end of the process."),
    ("best_effort", Mode::BestEffort, "Queued: it may be lost, and nothing waits for it."),
];
pub(super) const KINDS: &Meanings<IdentityKind> = &[
    ("human", IdentityKind::Human, "A person."),
    ("workload", IdentityKind::Workload, "A job, service account, bot or agent."),
];
pub(super) const PROTOCOLS: &Meanings<Protocol> =
    &[("postgres", Protocol::Postgres, "PostgreSQL's frontend/backend protocol.")];
pub(super) const PLAINTEXTS: &Meanings<Plaintext> = &[
    ("refused", Plaintext::Refused, "Nobody: without TLS no password is asked for."),
    ("loopback", Plaintext::Loopback, "Clients on the same machine."),
];
pub(super) const LOGINS: &Meanings<LoginMethod> = &[
    ("password", LoginMethod::Password, "A password or a token, which the gateway is sent."),
    (
        "scram",
        LoginMethod::Scram,
        "SCRAM-SHA-256, bound to the gateway's certificate where there is one. No token can be shown so.",
    ),
];
pub(super) const RESOURCES: &Meanings<ResourceKind> = &[("postgres", ResourceKind::Postgres, "A PostgreSQL server.")];
pub(super) const OPERATION: &Meanings<Enforcement> = &[
    ("enforce", Enforcement::Enforce, "What the policy refuses, holds or masks is refused, held, masked."),
    (
        "observe",
        Enforcement::Observe,
        "Nothing is refused, held or masked; records say what would have happened, and how many cells would have been masked.",
    ),
];
pub(super) const VERIFICATIONS: &Meanings<Verify> = &[
    ("full", Verify::Full, "The authority and the host name."),
    ("ca", Verify::Ca, "The authority alone."),
    ("none", Verify::None, "Nothing: the way is not encrypted."),
];
pub(super) const OPENINGS: &Meanings<OpenTo> = &[
    ("owner", OpenTo::Owner, "The user that the gateway runs as, and root."),
    ("group", OpenTo::Group, "The group of the socket's file too."),
    ("everybody", OpenTo::Everybody, "All users of the machine."),
];
pub(super) const METHODS: &Meanings<Method> = &[
    ("scram", Method::Scram, "SCRAM-SHA-256: the server does not learn the password, and proves that it knows it too."),
    (
        "md5",
        Method::Md5,
        "MD5: who listens or imitates the server can guess the password. Over TLS or a Unix socket only.",
    ),
    ("cleartext", Method::Cleartext, "The password itself. Over TLS or a Unix socket only."),
    (
        "trust",
        Method::Trust,
        "Not at all: the server may let the gateway in without asking, by its address, a certificate or the system's user.",
    ),
];
