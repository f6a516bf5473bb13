//! Text → configuration. Every problem is found in one go.

mod cancel;
mod certificates;
mod issuers;
mod limits;
mod timeouts;

pub(super) use issuers::{ALGORITHMS, TOKEN_TYPES};

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use hoopcore::mask::Keyring;
use hoopcore::policy::grammar::{Map, Meanings};
use hoopcore::policy::{Node, Place, Problems, Value};
use hoopcore::{Identity, IdentityKind, ResourceKind};
use secrecy::{ExposeSecret as _, SecretString};

use super::secret::{Lookup, Secrets};
use super::{
    Approvals, Approver, Audit, Certificate, Config, Credential, Enforcement, Identities, Known, ListenAddr, Listener,
    Method, Password, ResourceName, ServerAddr, Target, UpstreamTls, Verify, grammar,
};

/// PostgreSQL's own port.
const POSTGRES_PORT: u16 = 5432;

/// A shorter key of pseudonyms could be guessed by who knows some of them.
const SHORTEST_KEY: usize = 32;

/// Reads one file's tree. A part with a problem is `None`; the problem is reported where it was found.
pub(super) struct Reader {
    pub(super) problems: Problems,
    /// The file's folder: what relative paths begin at.
    pub(super) folder: PathBuf,
    pub(super) secrets: Secrets,
}

/// A map whose keys are known words, each there at most once.
struct Fields<'n> {
    at: Place,
    entries: BTreeMap<&'n str, &'n Node<'n>>,
}

impl<'n> Fields<'n> {
    fn get(&self, name: &str) -> Option<&'n Node<'n>> {
        self.entries.get(name).copied()
    }
}

impl Reader {
    pub(super) fn config(&mut self, tree: &Node<'_>) -> Option<Config> {
        let fields = self.fields(tree, &grammar::FILE)?;
        let policy = fields.get("policy").and_then(|node| self.policy(node));
        let audit = fields.get("audit").and_then(|node| self.audit(node));
        let identities = self.optional(&fields, "identities", Self::identities);
        let issuers = self.optional(&fields, "issuers", Self::issuers);
        let keyring = self.optional(&fields, "keyring", Self::keyring);
        let resources = fields.get("resources").and_then(|node| self.resources(node));
        let listeners = fields.get("listeners").and_then(|node| self.listeners(node));
        let approvals = self.optional(&fields, "approvals", Self::approvals);
        let cancel = self.optional(&fields, "cancel", Self::cancel);
        let admin = self.optional(&fields, "admin", Self::admin);
        if let (Some(node), Some(resources)) = (fields.entries.get("listeners"), fields.entries.get("resources")) {
            self.cross(node, resources);
        }
        if let (Some(identities), Some(listeners)) = (fields.entries.get("identities"), fields.entries.get("listeners"))
        {
            self.certificates_are_asked_for(identities, listeners);
        }
        Some(Config {
            policy: policy?,
            audit: audit?,
            identities: identities?.unwrap_or_default(),
            issuers: issuers?.unwrap_or_default(),
            keyring: keyring?.unwrap_or_default(),
            listeners: listeners?,
            resources: resources?,
            approvals: approvals?,
            cancel: cancel?,
            admin: admin?,
        })
    }

    /// The directory of the trail and the socket for approvals, whatever else the file says.
    pub(super) fn places(&mut self, node: &Node<'_>) -> Option<(PathBuf, Option<PathBuf>)> {
        let entries = self.entries(node, "the gateway's file")?;
        let find = |name| entries.iter().find(|(key, ..)| *key == name).map(|(.., value)| *value);
        let Some(audit) = find("audit") else {
            self.error(node.at, "`audit` is missing", "write `audit: { directory: PATH }`");
            return None;
        };
        let audit = self.audit(audit)?;
        let approvals = find("approvals").and_then(|node| self.approvals(node));
        Some((audit.directory, approvals.map(|approvals| approvals.socket)))
    }

    fn policy(&mut self, node: &Node<'_>) -> Option<Vec<PathBuf>> {
        let files: Option<Vec<PathBuf>> =
            node.items().iter().map(|item| self.existing(item, "a policy file")).collect();
        if node.items().is_empty() {
            self.error(node.at, "no policy file is named", "write `policy: [policy.yaml]`");
            return None;
        }
        files
    }

    fn audit(&mut self, node: &Node<'_>) -> Option<Audit> {
        let fields = self.fields(node, &grammar::AUDIT)?;
        let mode = self.optional(&fields, "mode", |reader, node| reader.word(node, "audit mode", grammar::MODES));
        let directory = fields.get("directory").and_then(|node| self.path(node, "a directory"));
        Some(Audit { directory: directory?, mode: mode?.unwrap_or_default() })
    }

    fn identities(&mut self, node: &Node<'_>) -> Option<Identities> {
        let entries = self.entries(node, "`identities`")?;
        let known: Vec<_> = entries.into_iter().map(|(name, key, value)| self.identity(name, key, value)).collect();
        known.into_iter().collect()
    }

    fn identity(&mut self, name: &str, key: &Node<'_>, node: &Node<'_>) -> Option<Known> {
        if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) {
            self.error(
                key.at,
                "a caller cannot be called so",
                "use a name of 1 to 63 bytes without control characters",
            );
        }
        let fields = self.fields(node, &grammar::IDENTITY)?;
        let kind = self.optional(&fields, "kind", Self::identity_kind);
        let groups = self.optional(&fields, "groups", |reader, node| reader.names(node, "a group"));
        let password = self.optional(&fields, "password", Self::password);
        let certificates = self.optional(&fields, "certificate", Self::certificate_names);
        if let (Some(None), Some(None)) = (&password, &certificates) {
            let help = "write `password: { file: PATH }` or `certificate: { dns: NAME }`";
            self.error(key.at, format!("nothing lets `{name}` in"), help);
        }
        let identity = Identity { kind: kind?, ..Identity::named(name) }.with_groups(groups?.unwrap_or_default());
        Some(Known { identity, password: password?, certificates: certificates?.unwrap_or_default() })
    }

    fn keyring(&mut self, node: &Node<'_>) -> Option<Keyring> {
        let keys: Vec<_> = self
            .entries(node, "`keyring`")?
            .into_iter()
            .map(|(domain, _, node)| {
                let secret = self.secret(node)?;
                if secret.expose_secret().len() >= SHORTEST_KEY {
                    return Some((domain, secret));
                }
                let message = format!("the key of `{domain}` has less than {SHORTEST_KEY} characters");
                self.error(node.at, message, "make one with `openssl rand -hex 32`");
                None
            })
            .collect();
        let keys: Option<Vec<_>> = keys.into_iter().collect();
        let with = |keyring: Keyring, (domain, secret): (&str, SecretString)| {
            keyring.with(domain, secret.expose_secret().as_bytes())
        };
        Some(keys?.into_iter().fold(Keyring::new(), with))
    }

    fn listeners(&mut self, node: &Node<'_>) -> Option<Vec<Listener>> {
        if node.items().is_empty() {
            self.error(node.at, "the gateway listens nowhere", "name at least one listener");
            return None;
        }
        let listeners: Vec<_> = node.items().iter().map(|item| self.listener(item)).collect();
        listeners.into_iter().collect()
    }

    fn listener(&mut self, node: &Node<'_>) -> Option<Listener> {
        let fields = self.fields(node, &grammar::LISTENER)?;
        let protocol = fields.get("protocol").and_then(|node| self.word(node, "protocol", grammar::PROTOCOLS));
        let address = fields.get("address").and_then(|node| self.listen_addr(node));
        let tls = self.optional(&fields, "tls", Self::certificate);
        let plaintext =
            self.optional(&fields, "plaintext", |reader, node| reader.word(node, "word", grammar::PLAINTEXTS));
        let login = self.optional(&fields, "login", |reader, node| reader.word(node, "way to log in", grammar::LOGINS));
        let resource = self.optional(&fields, "resource", Self::resource_name);
        let replication = self.optional(&fields, "replication", Self::truth);
        let timeouts = self.optional(&fields, "timeouts", Self::client_timeouts);
        let limits = self.optional(&fields, "limits", Self::client_limits);
        let open_to = self.optional(&fields, "open_to", |reader, node| reader.word(node, "word", grammar::OPENINGS));
        Some(Listener {
            protocol: protocol?,
            address: address?,
            tls: tls?,
            plaintext: plaintext?.unwrap_or_default(),
            login: login?.unwrap_or_default(),
            resource: resource?,
            replication: replication?.unwrap_or_default(),
            timeouts: timeouts?.unwrap_or_default(),
            limits: limits?.unwrap_or_default(),
            open_to: open_to?.unwrap_or_default(),
        })
    }

    fn listen_addr(&mut self, node: &Node<'_>) -> Option<ListenAddr> {
        let text = self.text(node, "an address")?;
        if let Some(path) = self.unix(text) {
            return Some(ListenAddr::Unix(path));
        }
        let parsed = text.parse::<SocketAddr>().ok();
        if parsed.is_none() {
            let help = "write an IP address and a port, `127.0.0.1:6432` or `[::1]:6432`, or the path of a Unix socket";
            self.error(node.at, format!("`{text}` is no address to listen on"), help);
        }
        parsed.map(ListenAddr::Tcp)
    }

    fn admin(&mut self, node: &Node<'_>) -> Option<SocketAddr> {
        let fields = self.fields(node, &grammar::ADMIN)?;
        let node = fields.get("address")?;
        let text = self.text(node, "an address")?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let help = "write an IP address and a port: `127.0.0.1:9464`";
            self.error(node.at, format!("`{text}` is no address to listen on"), help);
        }
        parsed
    }

    /// A text that is a path rather than a host.
    fn unix(&self, text: &str) -> Option<PathBuf> {
        let path = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text))?;
        Some(self.folder.join(path))
    }

    fn certificate(&mut self, node: &Node<'_>) -> Option<Certificate> {
        let fields = self.fields(node, &grammar::CERTIFICATE)?;
        let certificate = fields.get("certificate").and_then(|node| self.existing(node, "a certificate"));
        let key = fields.get("key").and_then(|node| self.existing(node, "a key"));
        let clients = self.optional(&fields, "clients", Self::client_certificates);
        Some(Certificate { certificate: certificate?, key: key?, clients: clients? })
    }

    fn resources(&mut self, node: &Node<'_>) -> Option<BTreeMap<ResourceName, Target>> {
        let entries = self.entries(node, "`resources`")?;
        let targets: Vec<_> = entries
            .into_iter()
            .map(|(_, key, value)| Some((self.resource_name(key), self.target(value))))
            .map(|both| both.and_then(|(name, target)| Some((name?, target?))))
            .collect();
        targets.into_iter().collect()
    }

    fn resource_name(&mut self, node: &Node<'_>) -> Option<ResourceName> {
        let text = self.text(node, "the name of a resource")?;
        let name = ResourceName::parse(text);
        if name.is_none() {
            let help = "use letters, digits, `-`, `_` and `.`";
            self.error(node.at, format!("a resource cannot be called `{text}`"), help);
        }
        name
    }

    fn target(&mut self, node: &Node<'_>) -> Option<Target> {
        let fields = self.fields(node, &grammar::RESOURCE)?;
        let kind = fields.get("kind").and_then(|node| self.kind(node));
        let address = fields.get("address").and_then(|node| self.server_addr(node));
        let databases = fields.get("databases").and_then(|node| self.databases(node));
        let labels = self.optional(&fields, "labels", Self::labels);
        let mode = self.optional(&fields, "mode", Self::mode);
        let tls = self.optional(&fields, "tls", Self::upstream_tls);
        let credential = fields.get("credential").and_then(|node| self.credential(node));
        let timeouts = self.optional(&fields, "timeouts", Self::session_timeouts);
        Some(Target {
            kind: kind?,
            address: address?,
            databases: databases?,
            labels: labels?.unwrap_or_default(),
            mode: mode?.unwrap_or_default(),
            tls: tls?.unwrap_or(UpstreamTls { verify: Verify::Full, ca: None, direct: false }),
            credential: credential?,
            timeouts: timeouts?.unwrap_or_default(),
        })
    }

    fn kind(&mut self, node: &Node<'_>) -> Option<ResourceKind> {
        if ["http", "kubernetes", "ssh"].iter().any(|later| node.text() == Some(later)) {
            self.error(node.at, "resources of this kind are not supported yet", "`postgres` is");
            return None;
        }
        self.word(node, "kind", grammar::RESOURCES)
    }

    fn server_addr(&mut self, node: &Node<'_>) -> Option<ServerAddr> {
        let text = self.text(node, "an address")?;
        if let Some(path) = self.unix(text) {
            return Some(ServerAddr::Unix(path));
        }
        let parsed = host_and_port(text);
        if parsed.is_none() {
            let help = "write a host and a port, `db.internal:5432`, or the path of a Unix socket";
            self.error(node.at, format!("`{text}` is no address of a server"), help);
        }
        parsed.map(|(host, port)| ServerAddr::Tcp { host, port })
    }

    fn databases(&mut self, node: &Node<'_>) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for item in node.items() {
            let name = self.text(item, "a database")?;
            if !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() {
            self.error(node.at, "no database is named", "name those that may be used: `databases: [shop]`");
            return None;
        }
        Some(names)
    }

    fn labels(&mut self, node: &Node<'_>) -> Option<BTreeMap<String, String>> {
        let entries = self.entries(node, "`labels`")?;
        let labels: Vec<_> = entries
            .into_iter()
            .map(|(name, _, value)| Some((name.to_owned(), self.text(value, "a label")?.to_owned())))
            .collect();
        labels.into_iter().collect()
    }

    fn mode(&mut self, node: &Node<'_>) -> Option<Enforcement> {
        self.word(node, "mode", grammar::OPERATION)
    }

    fn upstream_tls(&mut self, node: &Node<'_>) -> Option<UpstreamTls> {
        let fields = self.fields(node, &grammar::UPSTREAM_TLS)?;
        let verify =
            self.optional(&fields, "verify", |reader, node| reader.word(node, "way to verify", grammar::VERIFICATIONS));
        let ca = self.optional(&fields, "ca", |reader, node| reader.existing(node, "a certificate"));
        let direct = self.optional(&fields, "direct", Self::truth);
        Some(UpstreamTls { verify: verify?.unwrap_or_default(), ca: ca?, direct: direct?.unwrap_or_default() })
    }

    fn credential(&mut self, node: &Node<'_>) -> Option<Credential> {
        let fields = self.fields(node, &grammar::CREDENTIAL)?;
        let user = fields.get("user").and_then(|node| self.text(node, "a user"));
        let password = self.optional(&fields, "password", Self::secret);
        let methods = self.optional(&fields, "methods", Self::methods);
        let credential = Credential::new(user?, password?);
        Some(Credential { methods: methods?.unwrap_or(credential.methods), ..credential })
    }

    fn methods(&mut self, node: &Node<'_>) -> Option<BTreeSet<Method>> {
        let methods: Vec<_> = node.items().iter().map(|item| self.word(item, "method", grammar::METHODS)).collect();
        methods.into_iter().collect()
    }

    fn approvals(&mut self, node: &Node<'_>) -> Option<Approvals> {
        let fields = self.fields(node, &grammar::APPROVALS)?;
        let socket = fields.get("socket").and_then(|node| self.path(node, "a path"));
        let group = self.optional(&fields, "group", Self::truth);
        let approvers = fields.get("approvers").and_then(|node| self.approvers(node));
        Some(Approvals { socket: socket?, group: group?.unwrap_or_default(), approvers: approvers? })
    }

    fn approvers(&mut self, node: &Node<'_>) -> Option<BTreeMap<String, Approver>> {
        let entries = self.entries(node, "`approvers`")?;
        let approvers: Vec<_> =
            entries.into_iter().map(|(user, at, value)| Some((user, at.at, self.approver(user, value)?))).collect();
        let approvers: Vec<_> = approvers.into_iter().collect::<Option<_>>()?;
        self.one_name_each(&approvers);
        Some(approvers.into_iter().map(|(user, _, approver)| (user.to_owned(), approver)).collect())
    }

    /// Where two people must agree, one of two users is not two of them: approvers with a name in common go by one `name`.
    fn one_name_each(&mut self, approvers: &[(&str, Place, Approver)]) {
        let mut known: BTreeMap<String, (&str, &str)> = BTreeMap::new();
        for (user, at, approver) in approvers {
            let name = approver.name.as_str();
            for called in approver.identities.iter().map(String::as_str).chain([name, *user]) {
                let (other, theirs) = *known.entry(called.to_ascii_lowercase()).or_insert((user, name));
                if theirs != name {
                    let message = format!("`{user}` and `{other}` are one person: both are called `{called}`");
                    self.error(*at, message, "give both the same `name`: a person agrees once, whatever its user");
                    break;
                }
            }
        }
    }

    fn approver(&mut self, user: &str, node: &Node<'_>) -> Option<Approver> {
        let fields = self.fields(node, &grammar::APPROVER)?;
        let name = self.optional(&fields, "name", |reader, node| reader.text(node, "a name"));
        let identities = self.optional(&fields, "identities", |reader, node| reader.names(node, "a name"));
        let groups = fields.get("groups").and_then(|node| self.names(node, "a group"));
        let (name, identities) = (name?.unwrap_or(user).to_owned(), identities?.unwrap_or_default());
        Some(Approver { name, identities, groups: groups? })
    }

    /// What one part says of another: a listener serves a resource that there is, and no address twice.
    fn cross(&mut self, listeners: &Node<'_>, resources: &Node<'_>) {
        let Value::Map(entries) = &resources.value else { return };
        let known: Vec<&str> = entries.iter().filter_map(|(key, _)| key.text()).collect();
        let mut taken = BTreeSet::new();
        for listener in listeners.items() {
            if let Some(resource) = value_of(listener, "resource")
                && let Some(name) = resource.text()
                && !known.contains(&name)
            {
                self.problems.unknown(resource.at, "resource", name, &known);
            }
            if let Some(address) = value_of(listener, "address")
                && let Some(text) = address.text()
                && !taken.insert(text)
            {
                self.error(address.at, format!("two listeners have the address `{text}`"), "give each its own");
            }
        }
    }
}

fn value_of<'n>(node: &'n Node<'n>, name: &str) -> Option<&'n Node<'n>> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
}

/// `host:port`, `host`, `[address]:port`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let port = port.map_or(Some(POSTGRES_PORT), |port| port.parse().ok().filter(|port| *port != 0))?;
    (!host.is_empty() && host.chars().all(fits)).then(|| (host.to_owned(), port))
}

/// What all parts rest on.
impl Reader {
    fn error(&mut self, at: Place, message: impl Into<String>, help: &str) {
        self.problems.error(at, message).help = Some(help.to_owned());
    }

    fn entries<'n>(&mut self, node: &'n Node<'n>, what: &str) -> Option<Vec<(&'n str, &'n Node<'n>, &'n Node<'n>)>> {
        let Value::Map(entries) = &node.value else {
            self.mismatch(node, what, "a map");
            return None;
        };
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for (key, value) in entries {
            let Some(name) = self.text(key, "a key") else { continue };
            if seen.insert(name) {
                named.push((name, key, value));
            } else {
                self.error(key.at, format!("`{name}` is there twice"), "take one of them out");
            }
        }
        Some(named)
    }

    /// The entries of a map with known keys; keys that are unknown or missing are reported.
    fn fields<'n>(&mut self, node: &'n Node<'n>, map: &'static Map) -> Option<Fields<'n>> {
        let mut fields = Fields { at: node.at, entries: BTreeMap::new() };
        let known = map.known();
        for (name, key, value) in self.entries(node, map.noun)? {
            if known.contains(&name) {
                fields.entries.insert(name, value);
            } else {
                self.problems.unknown(key.at, &format!("key of {}", map.noun), name, &known);
            }
        }
        let at = Place { width: 1, ..fields.at };
        for (key, help) in map.keys.iter().filter_map(|key| Some((key.name, key.required?))) {
            if !fields.entries.contains_key(key) {
                self.error(at, format!("`{key}` is missing: {} needs it", map.noun), help);
            }
        }
        Some(fields)
    }

    /// `Some(None)` where the key is left out, `None` where its value has a problem.
    fn optional<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        name: &str,
        read: impl FnOnce(&mut Self, &'n Node<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        fields.entries.get(name).map_or(Some(None), |node| read(self, node).map(Some))
    }

    fn text<'n>(&mut self, node: &'n Node<'n>, what: &str) -> Option<&'n str> {
        let text = node.text().filter(|text| !text.is_empty());
        if text.is_none() {
            self.mismatch(node, what, "a text");
        }
        text
    }

    /// Reports that something else stands where a text or a map is expected.
    fn mismatch(&mut self, node: &Node<'_>, what: &str, expected: &str) {
        let message = match &node.value {
            Value::Empty => format!("{what} has no value: {expected} is expected"),
            Value::Text(_) | Value::List(_) | Value::Map(_) => format!("{what} is {expected}, not {}", node.noun()),
        };
        let help = if expected == "a map" { "write `key: value`" } else { "write one word, or a text in quotes" };
        self.error(node.at, message, help);
    }

    fn names(&mut self, node: &Node<'_>, what: &str) -> Option<BTreeSet<String>> {
        let names: Vec<_> = node.items().iter().map(|item| self.text(item, what).map(str::to_owned)).collect();
        names.into_iter().collect()
    }

    fn word<T: Copy>(&mut self, node: &Node<'_>, what: &str, words: &Meanings<T>) -> Option<T> {
        let text = self.text(node, what)?;
        let found = words.iter().find(|(word, ..)| *word == text).map(|(_, meaning, _)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, ..)| *word).collect();
            self.problems.unknown(node.at, what, text, &known);
        }
        found
    }

    fn identity_kind(&mut self, node: &Node<'_>) -> Option<IdentityKind> {
        self.word(node, "kind", grammar::KINDS)
    }

    fn truth(&mut self, node: &Node<'_>) -> Option<bool> {
        self.word(node, "answer", grammar::TRUTHS)
    }

    fn path(&mut self, node: &Node<'_>, what: &str) -> Option<PathBuf> {
        self.text(node, what).map(|text| self.folder.join(text))
    }

    fn existing(&mut self, node: &Node<'_>, what: &str) -> Option<PathBuf> {
        let path = self.path(node, what)?;
        if let Err(error) = std::fs::File::open(&path) {
            let help = "a path begins at the folder of the gateway's file";
            self.error(node.at, format!("`{}` cannot be read: {error}", path.display()), help);
            return None;
        }
        Some(path)
    }

    /// A caller's password, or what SCRAM keeps of it.
    fn password(&mut self, node: &Node<'_>) -> Option<Password> {
        let password = Password::new(self.secret(node)?);
        if let Err(why) = &password {
            self.error(node.at, format!("the password cannot be used: {why}"), "copy it whole from `pg_authid`");
        }
        password.ok()
    }

    fn secret(&mut self, node: &Node<'_>) -> Option<secrecy::SecretString> {
        match self.secrets.resolve(node, &self.folder) {
            Lookup::Found(secret) => Some(secret),
            Lookup::Plain => {
                let help = "write `{ env: NAME }` or `{ file: PATH }`, and change the secret: it was written down";
                self.problems.error(node.at, "a secret is never written in the file itself").help =
                    Some(help.to_owned());
                None
            }
            Lookup::Missing { at, why } => {
                self.error(at, why, "write `{ env: NAME }` or `{ file: PATH }`");
                None
            }
        }
    }
}
