//! What is called: a named database, API, cluster or host.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// Which protocol a resource speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceKind {
    /// A PostgreSQL server.
    Postgres,
    /// An HTTP API.
    Http,
    /// A Kubernetes API server.
    Kubernetes,
    /// An SSH host.
    Ssh,
}

/// A protected resource. Labels that are `None` are unknown, not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, as policies write it after `on:`.
    pub name: String,
    /// What it speaks.
    pub kind: ResourceKind,
    /// Its labels, where they are known.
    pub labels: Option<BTreeMap<String, String>>,
    /// The database of it that is used, where the protocol has databases and it is known.
    pub database: Option<String>,
}

impl Resource {
    /// A PostgreSQL server of that name.
    pub fn postgres(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: ResourceKind::Postgres, labels: None, database: None }
    }

    /// The same resource, with exactly these labels.
    #[must_use]
    pub fn with_labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = Some(labels);
        self
    }

    /// One database of the resource.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }
}
