//! Answers approvers on a Unix socket; the kernel says who they are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hoopcore::decision::Consent;
use hoopcore::{Identity, Verified};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::protocol::{Ask, Detail, Reply, Summary};
use crate::gateway::Gateway;
use crate::socket;

/// How many approvers are served at once.
const CONNECTIONS: usize = 32;
/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(10);
/// A longer question is refused.
const LINE: u64 = 4096;

impl Gateway {
    /// Answers approvers until it is dropped. Where the configuration names no socket, it waits for ever.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub async fn serve_approvals(&self) -> io::Result<()> {
        let Some(settings) = &self.config().approvals else { return std::future::pending().await };
        let listener = socket::listen(&settings.socket, if settings.group { 0o660 } else { 0o600 }).await?;
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let gateway = self.clone();
                    tokio::spawn(async move {
                        let _permit = permit;
                        if let Err(error) = gateway.attend(stream).await {
                            tracing::debug!(%error, "an approver left");
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "an approver could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn attend(&self, mut stream: UnixStream) -> io::Result<()> {
        let uid = stream.peer_cred()?.uid();
        let approver = self.approver(uid).await;
        let (read, mut write) = stream.split();
        let mut read = BufReader::new(read);
        loop {
            let mut line = String::new();
            let asked = timeout(IDLE, (&mut read).take(LINE).read_line(&mut line)).await??;
            if asked == 0 {
                return Ok(());
            }
            let reply = match &approver {
                Ok(approver) => self.reply(&line, approver).await,
                Err(refusal) => Reply::Refused(refusal.clone()),
            };
            let mut text = serde_json::to_vec(&reply)?;
            text.push(b'\n');
            timeout(IDLE, write.write_all(&text)).await??;
        }
    }

    /// The approver that an operating-system user is, or why it is none.
    async fn approver(&self, uid: u32) -> Result<Verified<Identity>, String> {
        let name = tokio::task::spawn_blocking(move || uzers::get_user_by_uid(uid)).await.ok().flatten();
        let name = name.and_then(|user| user.name().to_str().map(str::to_owned));
        let name = name.ok_or_else(|| format!("your user has no name on this machine (uid {uid})"))?;
        let known = self.config().approvals.as_ref().and_then(|settings| settings.approvers.get(&name));
        let known = known.ok_or_else(|| {
            format!("`{name}` is no approver; the gateway's file names them under `approvals.approvers`")
        })?;
        let names = known.identities.iter().chain([&name]).cloned();
        let identity = Identity::named(&known.name).with_groups(known.groups.iter().cloned()).with_aliases(names);
        Ok(Verified::vouched(identity, format!("operating-system user {name}")))
    }

    async fn reply(&self, line: &str, approver: &Verified<Identity>) -> Reply {
        match serde_json::from_str(line) {
            Ok(Ask::List) => Reply::List(self.summaries()),
            Ok(Ask::Show(id)) => self.show(&id, approver),
            Ok(Ask::Approve(id)) => self.answer_in_words(&id, approver, Consent::Yes).await,
            Ok(Ask::Deny(id)) => self.answer_in_words(&id, approver, Consent::No).await,
            Ok(Ask::Grants) => Reply::Grants(self.granted()),
            Ok(Ask::Revoke(id)) => self
                .revoke(&id, approver)
                .await
                .map_or_else(|error| Reply::Refused(error.to_string()), |()| Reply::Revoked),
            Err(_) => Reply::Refused("the question is not understood; are `hoop` and the gateway one version?".into()),
        }
    }

    fn summaries(&self) -> Vec<Summary> {
        let mut waiting = self.approvals().list();
        waiting.sort_by_key(|waiting| waiting.since);
        waiting.iter().map(Summary::new).collect()
    }

    /// The values of a statement are shown to those who are asked about it, and to nobody else.
    fn show(&self, id: &str, approver: &Identity) -> Reply {
        match self.approvals().look(id, approver) {
            Ok(waiting) => Reply::Held(Box::new(Detail::new(&waiting))),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }

    async fn answer_in_words(&self, id: &str, approver: &Verified<Identity>, consent: Consent) -> Reply {
        match self.answer(id, approver.clone(), consent).await {
            Ok(answered) => Reply::Answered(answered),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }
}
