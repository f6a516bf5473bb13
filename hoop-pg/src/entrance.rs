//! From a connection to a session that stands: who it is, what it wants, whether it may, and the server behind it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hoop_runtime::config::{Enforcement, Listener, Plaintext, ResourceName, Timeout};
use hoop_runtime::{Admission, Attempt, Gateway, Proven, Session};
use hoopcore::audit::CompletionStatus;
use hoopcore::policy::ColumnPattern;
use hoopcore::{Completion, Passage, Resource, ResourceKind};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::cancel::{CancelDesk, Registration};
use crate::catalog::{self, Catalog, Loaded};
use crate::client_login::{self, Desk, Outcome};
use crate::greeting::{Leave, greet};
use crate::guesses::Guesses;
use crate::patience;
use crate::places::Place;
use crate::reading::{ENCODING, Encodings};
use crate::refusal::{Refusal, code};
use crate::relay::Outset;
use crate::replication::Replication;
use crate::reply::Reply;
use crate::reported::Reported;
use crate::settings::{self, PINS, Setting};
use crate::startup::{Packet, Startup};
use crate::transport::Transport;
use crate::upstream::{CancelTarget, Connection, Upstream};
use crate::verifiers::Verifiers;

/// How long the catalog may take to answer.
pub(crate) const CATALOG_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take to read that it is let in, or why not.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long a client that may only cancel has to say so.
const SHORT_WORD: Duration = Duration::from_secs(2);

/// The way in through one listener.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) gateway: Gateway,
    pub(crate) listener: Listener,
    pub(crate) tls: Option<Acceptor>,
    pub(crate) desk: Desk,
    pub(crate) shared: Arc<Shared>,
}

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) upstreams: BTreeMap<ResourceName, Arc<Upstream>>,
    pub(crate) cancels: CancelDesk,
    pub(crate) verifiers: Arc<Verifiers>,
    /// Of clients that showed nothing.
    pub(crate) refusals: Guesses,
}

/// Takes TLS connections.
#[derive(Clone)]
pub(crate) struct Acceptor(pub(crate) TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

/// A session that stands: both sides are connected and logged in, and the client was told that it may begin.
#[derive(Debug)]
pub(crate) struct Established {
    /// The client's side.
    pub(crate) client: Transport,
    /// The server's side. Nothing that it sent is left unread.
    pub(crate) server: Transport,
    /// What decides.
    pub(crate) session: Session,
    /// What the session begins with.
    pub(crate) outset: Outset,
    /// The session's place among those that can be cancelled.
    pub(crate) registration: Registration<CancelTarget>,
}

/// A client whose wish is known.
struct Caller {
    stream: Transport,
    source: Option<IpAddr>,
    startup: Startup,
}

impl Entrance {
    /// Lets a client in, or tells it why not.
    pub(crate) async fn admit(&self, stream: Transport, place: &mut Place) -> Option<Established> {
        let source = stream.peer().map(|peer| peer.ip());
        let (mut caller, who) = match self.know(stream, source, place).await {
            Ok(Some(known)) => {
                place.is_known();
                known
            }
            Err(Leave::Told(mut stream, refusal)) => {
                refuse(&mut stream, &refusal).await;
                return None;
            }
            Ok(None) | Err(Leave::Silently) => return None,
        };
        match self.establish(&mut caller, who).await {
            Ok(standing) => standing.begin(caller.stream).await,
            Err(refusal) => {
                refuse(&mut caller.stream, &refusal).await;
                None
            }
        }
    }

    /// Finds out what a client wants and who it is; `None` where it only wanted to cancel.
    async fn know(
        &self,
        stream: Transport,
        source: Option<IpAddr>,
        place: &Place,
    ) -> Result<Option<(Caller, Proven)>, Leave> {
        let login = self.listener.timeouts.login;
        let until = Instant::now() + if place.may_log_in() { login } else { login.min(SHORT_WORD) };
        let greeted = timeout_at(until, greet(stream, self.tls.as_ref().map(|acceptor| &acceptor.0))).await;
        // Who has not said a word in PostgreSQL's protocol is told none.
        let (stream, packet) = greeted.unwrap_or_else(|_| {
            self.gateway.count_timeout(Timeout::Login);
            Err(Leave::Silently)
        })?;
        let startup = match packet {
            Packet::Begin(startup) if place.may_log_in() => startup,
            Packet::Cancel { process, secret } => {
                let Shared { upstreams, cancels, .. } = &*self.shared;
                cancels.request(process, &secret, source, upstreams).await;
                return Ok(None);
            }
            Packet::Begin(_) => return Err(Leave::Told(Box::new(stream), too_many())),
            // Settled before anything else.
            Packet::Encrypt(_) => return Err(Leave::Silently),
        };
        let mut caller = Caller { stream, source, startup };
        let identified = timeout_at(until, self.identify(&mut caller)).await;
        match identified.unwrap_or_else(|_| Ok(Outcome::Refused(self.too_late(), None)))? {
            Outcome::Proven(who) => Ok(Some((caller, who))),
            Outcome::Refused(refusal, reason) => {
                self.record(&caller, &refusal, reason).await;
                Err(Leave::Told(Box::new(caller.stream), refusal))
            }
        }
    }

    async fn identify(&self, caller: &mut Caller) -> io::Result<Outcome> {
        let Startup { user, negotiation, .. } = &caller.startup;
        let before = negotiation.as_ref().map_or_else(Reply::new, |wish| Reply::new().negotiate(wish));
        if caller.startup.replication.is_on() && !self.listener.replication {
            return Ok(Outcome::Refused(no_replication(), None));
        }
        if let Some(known) = client_login::by_certificate(&caller.stream, &self.gateway, user) {
            caller.stream.say(before).await?;
            return Ok(Outcome::Proven(known));
        }
        if !self.may_ask_password(caller) {
            return Ok(Outcome::Refused(self.in_the_clear(), None));
        }
        self.desk.identify(&mut caller.stream, &self.gateway, user, before).await
    }

    /// Records why a client is not let in. One that showed nothing is recorded in the words that it is told, and not as often
    /// as it likes: that costs it less than a wrong password.
    async fn record(&self, caller: &Caller, refusal: &Refusal, reason: Option<String>) {
        let (source, now) = (caller.source, Instant::now());
        let reason = match reason {
            Some(reason) => reason,
            None if self.shared.refusals.allow(source, now) => {
                self.shared.refusals.wrong(source, now);
                refusal.message.clone().into_owned()
            }
            None => return self.gateway.count_refused_login(),
        };
        self.gateway.refuse_login(&self.attempt(caller), &reason).await;
    }

    /// The refusal of a client that does not show who it is, in PostgreSQL's words.
    fn too_late(&self) -> Refusal {
        self.gateway.count_timeout(Timeout::Login);
        patience::told(Timeout::Login)
    }

    fn may_ask_password(&self, caller: &Caller) -> bool {
        match self.listener.plaintext {
            Plaintext::Refused => caller.stream.is_private(),
            Plaintext::Loopback => {
                caller.stream.is_private() || caller.source.is_some_and(|source| source.to_canonical().is_loopback())
            }
        }
    }

    fn in_the_clear(&self) -> Refusal {
        let refusal = Refusal::new(code::AUTHORIZATION, "a password is taken over an encrypted connection only");
        match self.tls {
            Some(_) => refusal.with_hint("connect with `sslmode=verify-full`, or at least `sslmode=require`"),
            None => refusal.with_hint("the listener has no certificate: give it one with `tls` in the gateway's file"),
        }
    }

    fn attempt(&self, caller: &Caller) -> Attempt {
        let (resource, database) = self.wish(&caller.startup.database);
        Attempt {
            user: caller.startup.user.clone(),
            resource: resource.map(str::to_owned),
            database: database.map(str::to_owned),
            source: caller.source,
        }
    }

    /// The resource and the database that a client names: its database alone where the listener serves one resource,
    /// else `resource/database`, or `resource` where that has one database only.
    fn wish<'a>(&'a self, database: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        match (&self.listener.resource, database.split_once('/')) {
            (Some(resource), _) => (Some(resource.as_str()), Some(database)),
            (None, Some((resource, database))) => (Some(resource), Some(database)),
            (None, None) => (Some(database), None),
        }
    }

    /// The server and the database that a client wants, if there is such a one that it could be allowed.
    fn route(&self, startup: &Startup) -> Option<(Resource, &Arc<Upstream>)> {
        let (resource, database) = self.wish(&startup.database);
        let name = ResourceName::parse(resource?)?;
        let target =
            self.gateway.config().resources.get(&name).filter(|target| target.kind == ResourceKind::Postgres)?;
        let database = match (startup.replication, database, target.databases.as_slice()) {
            // The whole cluster is in no database; clients name one called `replication`.
            (Replication::Physical, ..) => None,
            (_, Some(database), databases) => Some(databases.iter().find(|known| *known == database)?.as_str()),
            (_, None, [only]) => Some(only.as_str()),
            (_, None, _) => return None,
        };
        Some((target.resource(&name, database), self.shared.upstreams.get(&name)?))
    }

    async fn establish(&self, caller: &mut Caller, who: Proven) -> Result<Standing, Refusal> {
        let Some((resource, upstream)) = self.route(&caller.startup) else {
            let denial =
                self.gateway.refuse_login(&self.attempt(caller), "there is no such resource or database").await;
            return Err(not_open(&denial.reason));
        };
        let Startup { settings, replication, .. } = &caller.startup;
        let database = resource.database.clone().unwrap_or_else(|| String::from("replication"));
        let login = self.gateway.login(who, resource, caller.source).await;
        let mut session = login.map_err(|denial| not_open(&denial.reason))?;
        let encoding = encoding(&mut session, settings).await;
        let mut settings: Vec<_> = settings.iter().filter(|setting| !setting.is_foreign_encoding()).cloned().collect();
        let settled = settle(&mut session, &settings).await?;
        settings.extend(encoding);
        let asked = replication.value().map(|value| ("replication", value));
        let sent: Vec<_> = settings::forwarded(&settings).into_iter().chain(asked).collect();
        let connected = upstream.connect(&database, &sent).await;
        if let Some(passage) = settled {
            session.close(passage.close(completion(connected.as_ref().err())));
        }
        let mut server = connected?;
        check_pins(&server.reported)?;
        let aside = async || upstream.connect(&database, &settings::forwarded(&settings)).await;
        let outset = look(&mut session, &mut server, *replication, aside).await?;
        let target = server.cancel.clone();
        let registration = self.shared.cancels.register(&session.on().name, target, caller.startup.takes_long_keys());
        Ok(Standing { session, server, outset, registration })
    }
}

fn too_many() -> Refusal {
    Refusal::new(code::TOO_MANY, "too many clients are connected, or about to log in")
        .with_hint("try again; `limits` of the listener in the gateway's file say how many may be")
}

fn no_replication() -> Refusal {
    Refusal::new(code::UNSUPPORTED, "replication connections are not let through here")
        .with_hint("`replication: true` at a listener of the gateway's file lets them through")
}

/// The words for a resource that does not exist and for one that is not allowed are the same.
fn not_open(reason: &str) -> Refusal {
    Refusal::new(code::AUTHORIZATION, reason.to_owned())
}

/// The encoding that a client asks for, where it is another than UTF-8: judged like a SET of it. A client that may not have
/// it is told that it has UTF-8, and goes by what it is told.
async fn encoding(session: &mut Session, settings: &[Setting]) -> Option<Setting> {
    let asked = settings.iter().rfind(|setting| setting.name() == ENCODING)?;
    let command = settings::command(std::slice::from_ref(asked)).filter(|_| asked.is_foreign_encoding())?;
    match session.admit(&command, None).await {
        Admission::Permitted(permit) => {
            session.close(permit.spend().close(completion(None)));
            return Some(asked.clone());
        }
        Admission::Denied(_) => {}
        // Nobody could answer before the client gives up connecting.
        Admission::Held(hold) => drop(hold.withdraw()),
    }
    Some(Setting::utf8())
}

/// Judges the other settings that a client asks for, like any other command.
async fn settle(session: &mut Session, settings: &[Setting]) -> Result<Option<Passage>, Refusal> {
    let Some(command) = settings::command(settings) else { return Ok(None) };
    let denial = match session.admit(&command, None).await {
        Admission::Permitted(permit) => return Ok(Some(permit.spend())),
        Admission::Denied(denial) => denial,
        // Nobody could answer before the client gives up connecting.
        Admission::Held(hold) => hold.withdraw(),
    };
    let hint = format!("rule `{}` is about a setting that the client asks for when it connects", denial.rule);
    Err(Refusal::new(code::PRIVILEGE, denial.reason).with_hint(hint))
}

fn completion(failed: Option<&Refusal>) -> Completion {
    let status = failed.map_or(CompletionStatus::Done, |refusal| CompletionStatus::Failed(refusal.code.to_string()));
    Completion { status, rows: 0, bytes: 0 }
}

async fn refuse(stream: &mut Transport, refusal: &Refusal) {
    let words = async {
        stream.say(Reply::new().refuse(refusal)).await?;
        stream.shutdown().await
    };
    // Whether the client hears it is not the gateway's concern.
    let _heard = timeout(LAST_WORDS, words).await;
}

/// A session whose server waits for the first command.
struct Standing {
    session: Session,
    server: Connection,
    outset: Outset,
    registration: Registration<CancelTarget>,
}

/// Looks into the catalog before the client can change anything in it. A walsender cannot be asked: an ordinary connection
/// is, which is closed again; for the whole cluster there is none to ask.
async fn look(
    session: &mut Session,
    server: &mut Connection,
    replication: Replication,
    aside: impl AsyncFnOnce() -> Result<Connection, Refusal>,
) -> Result<Outset, Refusal> {
    let encodings = encodings(&server.reported);
    let patterns = session.protected_columns();
    let mut loaded = match replication {
        Replication::No => load(server, &patterns).await?,
        Replication::Logical => {
            let mut loaded = load(&mut aside().await?, &patterns).await?;
            // What was said there is not of this session.
            loaded.asides.clear();
            loaded
        }
        Replication::Physical => {
            server.notices.clear();
            return Ok(Outset { catalog: Catalog::default(), replication, encodings });
        }
    };
    loaded.tell(session.facts_mut());
    let guarded = loaded.is_exposed() || session.detectors().is_armed();
    if guarded && session.mode() == Enforcement::Enforce {
        server.notices.clear();
    }
    server.notices.splice(0..0, loaded.asides.drain(..));
    Ok(Outset { catalog: loaded.catalog, replication, encodings })
}

async fn load(server: &mut Connection, patterns: &[ColumnPattern]) -> Result<Loaded, Refusal> {
    let loaded = timeout(CATALOG_PATIENCE, catalog::load(&mut server.stream, patterns)).await;
    loaded.map_err(|_| unreadable(&"it took too long"))?.map_err(|error| unreadable(&error))
}

impl Standing {
    /// Tells the client that it may begin; `None` where it is gone.
    async fn begin(self, mut client: Transport) -> Option<Established> {
        let Self { session, server, outset, registration } = self;
        let Connection { stream, reported, notices, .. } = server;
        let asides = reported.messages().chain(&notices);
        let reply = asides.fold(Reply::new().authenticated(), |reply, message| reply.relayed(message));
        let reply = reply.cancel_key(registration.key()).ready();
        timeout(LAST_WORDS, client.say(reply)).await.ok()?.ok()?;
        Some(Established { client, server: stream, session, outset, registration })
    }
}

/// The encodings that the server reports. Of one that it does not name, nothing but ASCII is read.
fn encodings(reported: &Reported) -> Encodings {
    let value = |name: &str| reported.value(name).unwrap_or_default().into_owned();
    Encodings { client: value(ENCODING), server: value("server_encoding") }
}

/// The server must have taken the pins: all that is understood of statements rests on them.
fn check_pins(reported: &Reported) -> Result<(), Refusal> {
    for (name, value) in PINS {
        let reported = reported.value(name);
        if reported.as_deref() != Some(value) {
            tracing::warn!(name, ?reported, "the server does not keep a setting as it must");
            return Err(Refusal::new(code::NO_SERVER, "the server behind the gateway cannot be used"));
        }
    }
    Ok(())
}

fn unreadable(error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, "the catalog of a database cannot be read");
    Refusal::new(code::NO_SERVER, "the catalog of the database cannot be read")
}
