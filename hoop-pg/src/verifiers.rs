//! What SCRAM keeps of the callers' passwords; of a caller that there is not, something that looks the same.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;

use hoop_runtime::config::{Config, LoginMethod, Verifier};
use ring::hmac;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

/// How long PostgreSQL's salts are.
const SALT: usize = 16;

/// What SCRAM keeps of the callers' passwords, the same on all listeners.
#[derive(Debug)]
pub(crate) struct Verifiers {
    known: BTreeMap<String, Verifier>,
    salts: Salts,
    iterations: NonZeroU32,
}

/// Salts by name: the same at each try and after each start, as those are that stand in a file.
#[derive(Debug)]
struct Salts(hmac::Key);

impl Verifiers {
    /// Those of all callers with a password, where a listener speaks SCRAM.
    pub(crate) fn new(config: &Config) -> Self {
        let salts = Salts::new(config);
        let iterations = config.identities.usual_iterations();
        let is_spoken = config.listeners.iter().any(|listener| listener.login == LoginMethod::Scram);
        let known = config.identities.iter().filter(|_| is_spoken).filter_map(|known| {
            let user = known.identity.user.clone();
            let verifier = known.password.as_ref()?.verifier(salts.of(&user), iterations);
            Some((user, verifier))
        });
        Self { known: known.collect(), salts, iterations }
    }

    /// A caller that there is not is asked like any other.
    pub(crate) fn of(&self, user: &str) -> Verifier {
        let nobody = || Verifier::of_nobody(self.salts.of(user), self.iterations);
        self.known.get(user).cloned().unwrap_or_else(nobody)
    }
}

impl Salts {
    /// Made from a secret of the gateway's own that is nobody's password: who knows a salt could try passwords on it.
    fn new(config: &Config) -> Self {
        let mut secret = Sha256::new_with_prefix("salts of SCRAM logins");
        match &config.cancel {
            Some(cancel) => secret.update(cancel.key.expose_secret()),
            None => keys(config).for_each(|key| secret.update(key)),
        }
        if config.cancel.is_none() && keys(config).next().is_none() {
            secret.update(rand::random::<[u8; 32]>());
        }
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret.finalize()))
    }

    fn of(&self, user: &str) -> Vec<u8> {
        hmac::sign(&self.0, user.as_bytes()).as_ref().iter().copied().take(SALT).collect()
    }
}

/// The private keys of the listeners.
fn keys(config: &Config) -> impl Iterator<Item = Vec<u8>> {
    config.listeners.iter().filter_map(|listener| fs::read(&listener.tls.as_ref()?.key).ok())
}
