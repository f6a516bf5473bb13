//! The gateway's own file: where it listens, what it protects, who may come in.

mod cancel;
mod certificates;
pub mod grammar;
mod limits;
mod names;
mod password;
mod read;
mod secret;
#[cfg(test)]
mod tests;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hoopcore::mask::Keyring;
use hoopcore::policy::{self, Node, Place, Problem, Problems};
use hoopcore::{Identity, Resource, ResourceKind, Verified};
use secrecy::SecretString;

pub use self::cancel::CancelRequests;
pub use self::certificates::CertificateName;
pub use self::limits::ClientLimits;
pub use self::names::Names;
pub use self::password::{NotAVerifier, Password, Verifier};
use self::read::Reader;
use self::secret::Secrets;
pub use self::timeouts::{ClientTimeouts, SessionTimeouts, Timeout};
use crate::diagnostics::Sources;
use crate::oidc::Issuers;
use crate::trail::Mode;

/// A larger file is refused before it is read.
const LIMIT: u64 = 1 << 20;

/// The gateway's own file, read and checked. All paths in it are absolute or relative to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// Files that make up the policy.
    pub policy: Vec<PathBuf>,
    /// Where records go.
    pub audit: Audit,
    /// Who may come in with a password.
    pub identities: Identities,
    /// Whose tokens let callers in.
    pub issuers: Issuers,
    /// Keys of the pseudonyms and shifts of the policy.
    pub keyring: Keyring,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// What is protected.
    pub resources: BTreeMap<ResourceName, Target>,
    /// Who answers for held commands, and where.
    pub approvals: Option<Approvals>,
    /// What several instances share to carry out cancel requests.
    pub cancel: Option<CancelRequests>,
    /// Where metrics and the gateway's health are told; nowhere where there is none.
    pub admin: Option<SocketAddr>,
}

/// Where a gateway keeps its trail and answers approvers: all of its file that `hoop` itself needs. Secrets are not looked
/// up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The directory of the trail.
    pub audit: PathBuf,
    /// The socket for approvals.
    pub approvals: Option<PathBuf>,
}

/// Everything that is wrong with a gateway's file, at once.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", sources.render_all(problems))]
pub struct ConfigErrors {
    /// Each problem with its place.
    pub problems: Vec<Problem>,
    /// The file's text, with secrets that stood in it crossed out.
    pub sources: Sources,
}

/// Where records go, and when they count as safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The directory of the trail.
    pub directory: PathBuf,
    /// When a record counts as safe.
    pub mode: Mode,
}

/// The name of a resource: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(String);

/// Where a gateway listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A server as it is dialled: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddr {
    /// A host and a port.
    Tcp {
        /// Its name or address; certificates are checked against it.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// A wire protocol that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's frontend/backend protocol.
    Postgres,
}

/// One place where clients connect.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: ListenAddr,
    /// The gateway's certificate; without one, the listener speaks plain text.
    pub tls: Option<Certificate>,
    /// Who may send a password in plain text.
    pub plaintext: Plaintext,
    /// How clients show who they are that have no certificate.
    pub login: LoginMethod,
    /// The one resource that it serves; without, the client's database names it.
    pub resource: Option<ResourceName>,
    /// Whether clients may ask for replication there. What they may replicate, the policy says.
    pub replication: bool,
    /// How long it waits for its clients.
    pub timeouts: ClientTimeouts,
    /// How many clients it takes at once.
    pub limits: ClientLimits,
    /// Who may connect to its Unix socket.
    pub open_to: OpenTo,
}

/// Who may connect to a Unix socket. Whoever does must show who it is all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenTo {
    /// The user that the gateway runs as.
    #[default]
    Owner,
    /// The group of the socket's file too.
    Group,
    /// All users of the machine.
    Everybody,
}

impl OpenTo {
    /// The mode of the socket's file.
    #[must_use]
    pub const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
            Self::Everybody => 0o666,
        }
    }
}

/// Who may send a password over TCP in plain text. Over a Unix socket everybody may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plaintext {
    /// Nobody: without TLS no password is asked for.
    #[default]
    Refused,
    /// Clients on the same machine.
    Loopback,
}

/// How clients show who they are that have no certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginMethod {
    /// A password or a token, which the gateway is sent.
    #[default]
    Password,
    /// SCRAM-SHA-256, bound to the gateway's certificate where there is one: the password stays with the client. No token
    /// can be shown so.
    Scram,
}

/// A certificate chain and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The file with the chain.
    pub certificate: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
    /// What is expected of clients' certificates; `None` where they are not asked for any.
    pub clients: Option<ClientCertificates>,
}

/// What is expected of clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities that sign them, PEM.
    pub ca: PathBuf,
    /// Whether a client without one is turned away; otherwise it shows a password or a token.
    pub required: bool,
}

/// A protected server.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it speaks.
    pub kind: ResourceKind,
    /// Where it is.
    pub address: ServerAddr,
    /// The databases of it that may be used.
    pub databases: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the policy is enforced on it.
    pub mode: Enforcement,
    /// How the way to it is protected.
    pub tls: UpstreamTls,
    /// As whom the gateway logs in.
    pub credential: Credential,
    /// How long sessions on it wait.
    pub timeouts: SessionTimeouts,
}

/// Whether the policy is enforced on a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// What it refuses, holds or masks is refused, held, masked.
    #[default]
    Enforce,
    /// Nothing is refused, held or masked; records say what would have happened.
    Observe,
}

/// How the way to a server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// What is checked of the server's certificate.
    pub verify: Verify,
    /// The authorities that are trusted, PEM; without, those of the system.
    pub ca: Option<PathBuf>,
    /// Whether TLS begins without asking for it, as PostgreSQL knows it since 17.
    pub direct: bool,
}

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// The authority and the host name.
    #[default]
    Full,
    /// The authority alone.
    Ca,
    /// Nothing: the way is not encrypted.
    None,
}

/// A user and a secret for a server.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The role.
    pub user: String,
    /// Its password; without, the server must trust the gateway.
    pub password: Option<SecretString>,
    /// The ways in which the password may be proved.
    pub methods: BTreeSet<Method>,
}

/// A way in which a password is proved to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// SCRAM-SHA-256: the server does not learn the password, and proves that it knows it too.
    Scram,
    /// MD5: who listens or imitates the server can guess the password. Over TLS or a Unix socket only.
    Md5,
    /// The password itself. Over TLS or a Unix socket only.
    Cleartext,
    /// Not at all: the server lets the gateway in without asking, and so may whoever takes its place.
    Trust,
}

impl Credential {
    /// A user and a password that is proved by SCRAM alone.
    #[must_use]
    pub fn new(user: impl Into<String>, password: Option<SecretString>) -> Self {
        Self { user: user.into(), password, methods: BTreeSet::from([Method::Scram]) }
    }
}

/// Those who may come in with a password or a certificate.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    known: BTreeMap<String, Known>,
    /// How often a password is hashed at most; 0 where none is.
    most_iterations: u32,
}

/// One caller who may come in with a password or a certificate.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who it is, as policies see it.
    pub identity: Identity,
    /// The password that proves it.
    pub password: Option<Password>,
    /// The names in certificates that prove it, each by itself.
    pub certificates: BTreeSet<CertificateName>,
}

/// Who answers for held commands, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// The Unix socket that `hoop approvals` speaks to.
    pub socket: PathBuf,
    /// Whether the group of the socket's file may use it too.
    pub group: bool,
    /// Approvers by the name of their operating-system user.
    pub approvers: BTreeMap<String, Approver>,
}

/// A person who may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The name that records carry.
    pub name: String,
    /// Names under which the same person calls: nobody answers for itself.
    pub identities: BTreeSet<String>,
    /// Groups, which rules name after `by:`.
    pub groups: BTreeSet<String>,
}

impl Config {
    /// The configuration that a file holds.
    ///
    /// # Errors
    /// Every problem at once, with its place. No message shows a secret.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        examine(path, Reader::config)
    }
}

impl Places {
    /// The places that a gateway's file names, whatever else is in it.
    ///
    /// # Errors
    /// Where the file cannot be read or does not name them.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let (audit, approvals) = examine(path, Reader::places)?;
        Ok(Self { audit, approvals })
    }
}

/// Reads a file's tree with `find`, or gives every problem that was met on the way.
fn examine<T>(path: &Path, find: impl FnOnce(&mut Reader, &Node<'_>) -> Option<T>) -> Result<T, ConfigErrors> {
    let name: Arc<str> = path.display().to_string().into();
    let mut problems = Problems::default();
    problems.enter(Some(Arc::clone(&name)));
    let text = match text_of(path) {
        Ok(text) => text,
        Err(why) => {
            problems.error(Place::START, format!("`{name}` cannot be read: {why}"));
            return Err(failure(problems, Sources::default()));
        }
    };
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader { problems, folder, secrets: Secrets::default() };
    let found = match policy::parse(&text) {
        Ok(tree) => find(&mut reader, &tree),
        Err(malformed) => {
            reader.problems.error(malformed.at, malformed.message).help = malformed.help;
            None
        }
    };
    let mut sources = Sources::default();
    sources.insert(name.to_string(), crossed_out(&text, &reader.secrets.exposed));
    match (found, reader.problems.finish()) {
        (Some(found), Ok(_)) => Ok(found),
        (Some(_) | None, Err(errors)) => Err(ConfigErrors { problems: errors.problems, sources }),
        (None, Ok(problems)) => Err(ConfigErrors { problems, sources }),
    }
}

fn failure(problems: Problems, sources: Sources) -> ConfigErrors {
    let problems = problems.finish().unwrap_or_else(|errors| errors.problems);
    ConfigErrors { problems, sources }
}

fn text_of(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LIMIT {
        return Err("it is larger than 1 MiB".to_owned());
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The text with all that stands at these places, and the rest of their lines, replaced: messages quote lines.
fn crossed_out(text: &str, places: &[Place]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for place in places {
        let before = text.split_inclusive('\n').take(place.line.saturating_sub(1) as usize);
        let from = before.map(|line| line.chars().count()).sum::<usize>() + place.column.saturating_sub(1) as usize;
        let mut left = place.width as usize;
        for c in characters.iter_mut().skip(from) {
            match (*c, left) {
                ('\n', 0) => break,
                ('\n', _) => {}
                _ => *c = '*',
            }
            left = left.saturating_sub(1);
        }
    }
    characters.into_iter().collect()
}

impl ResourceName {
    /// A name, if the text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!text.is_empty() && text.len() <= 128 && text.chars().all(fits)).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Target {
    /// The resource as policies see it.
    #[must_use]
    pub fn resource(&self, name: &ResourceName, database: Option<&str>) -> Resource {
        let Self { kind, labels, .. } = self;
        let database = database.map(str::to_owned);
        Resource { name: name.as_str().to_owned(), kind: *kind, labels: Some(labels.clone()), database }
    }
}

impl Identities {
    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// The caller of that name.
    #[must_use]
    pub fn find(&self, user: &str) -> Option<&Known> {
        self.known.get(user)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    /// The caller that a name and a password prove. It takes as long for every name, whoever is called so: as long as for the
    /// password that is hashed most often.
    #[must_use]
    pub fn prove(&self, user: &str, password: &[u8]) -> Option<Verified<Identity>> {
        let kept = self.find(user).and_then(|known| Some((known, known.password.as_ref()?)));
        let proved = kept.and_then(|(known, kept)| kept.is(password).then(|| known.verified("password")));
        let hashed = kept.and_then(|(_, kept)| kept.iterations()).map_or(0, NonZeroU32::get);
        password::hash_in_vain(password, self.most_iterations.saturating_sub(hashed));
        proved
    }

    /// Whether [`Self::prove`] hashes passwords, which takes milliseconds.
    #[must_use]
    pub fn are_hashed(&self) -> bool {
        self.most_iterations > 0
    }

    /// How often most passwords are hashed; where none is, how often PostgreSQL does.
    #[must_use]
    pub fn usual_iterations(&self) -> NonZeroU32 {
        let mut often: BTreeMap<NonZeroU32, usize> = BTreeMap::new();
        self.iterations().for_each(|iterations| *often.entry(iterations).or_default() += 1);
        often.into_iter().max_by_key(|(_, passwords)| *passwords).map_or(password::ITERATIONS, |(often, _)| often)
    }

    fn iterations(&self) -> impl Iterator<Item = NonZeroU32> {
        self.iter().filter_map(|known| known.password.as_ref()?.iterations())
    }

    /// The caller that a certificate with these names proves: where they are those of several, the one that has the
    /// name too.
    #[must_use]
    pub fn certified(&self, user: &str, names: &BTreeSet<CertificateName>) -> Option<Verified<Identity>> {
        let mut found = self.iter().filter(|known| !known.certificates.is_disjoint(names));
        let known = match (found.next()?, found.next()) {
            (only, None) => only,
            (_, Some(_)) => self.find(user).filter(|known| !known.certificates.is_disjoint(names))?,
        };
        let name = known.certificates.intersection(names).next()?;
        Some(known.verified(format!("client certificate {name}")))
    }
}

impl Known {
    /// The proof that this caller showed who it is, and how: to be called by who checked it.
    #[must_use]
    pub fn verified(&self, how: impl Into<String>) -> Verified<Identity> {
        Verified::vouched(self.identity.clone(), how)
    }
}

impl FromIterator<Known> for Identities {
    fn from_iter<I: IntoIterator<Item = Known>>(known: I) -> Self {
        let known = known.into_iter().map(|known| (known.identity.user.clone(), known)).collect();
        let identities = Self { known, most_iterations: 0 };
        let most_iterations = identities.iterations().map(NonZeroU32::get).max().unwrap_or(0);
        Self { most_iterations, ..identities }
    }
}
