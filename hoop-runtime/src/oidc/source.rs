//! Where an issuer's keys are: a file, or a URL that is safe to ask.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hoopcore::identity::jwt::LONGEST_KEY_SET;
use hyper::Uri;

use super::fetch::{self, FetchError};

/// How soon a key set is read again where nothing else says.
const FILE_FRESH: Duration = Duration::from_secs(60);
const URL_FRESH: Duration = Duration::from_secs(60 * 60);
/// The bounds within which a server may say how soon (`Cache-Control: max-age`).
const SOONEST: Duration = Duration::from_secs(5 * 60);
const LATEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with a JWKS document.
    File(PathBuf),
    /// A URL that gives one.
    Url(KeyUrl),
}

/// A URL that keys may come from: `https`, or `http` on this machine; no user, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUrl {
    uri: Uri,
    host: String,
    port: u16,
    encrypted: bool,
    authorities: Option<PathBuf>,
}

/// Why a URL is not asked for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It is not an absolute URL, or has a fragment.
    #[error("a URL for keys looks like `https://issuer.example/jwks`")]
    Malformed,
    /// A name or password stands in it.
    #[error("a URL for keys cannot have a user in it")]
    User,
    /// It would bring keys unprotected over a network.
    #[error("keys come over https; http is for this machine alone")]
    Unprotected,
}

/// A key set as text, and how soon to read it again.
pub(super) struct Document {
    pub(super) text: String,
    pub(super) fresh: Duration,
}

/// Why a key set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The URL did not give it.
    #[error("`{url}` did not give it: {error}")]
    Url {
        /// The URL.
        url: String,
        /// Why.
        error: FetchError,
    },
}

impl KeySource {
    pub(super) async fn read(&self) -> Result<Document, SourceError> {
        match self {
            Self::File(path) => read_file(path).map_err(|error| SourceError::File { path: path.clone(), error }),
            Self::Url(url) => url.read().await.map_err(|error| SourceError::Url { url: url.to_string(), error }),
        }
    }
}

/// A file on a local disk, a few kilobytes long: not worth a thread.
fn read_file(path: &Path) -> io::Result<Document> {
    let mut text = String::new();
    // One byte more than is allowed lets the parser see that it is too long.
    File::open(path)?.take(LONGEST_KEY_SET as u64 + 1).read_to_string(&mut text)?;
    Ok(Document { text, fresh: FILE_FRESH })
}

impl KeyUrl {
    /// A URL that keys may come from.
    ///
    /// # Errors
    /// Where keys from there could be anybody's.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        let uri: Uri = text.parse().map_err(|_| UrlRefused::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(UrlRefused::Malformed);
        };
        if text.contains('#') || authority.host().is_empty() {
            return Err(UrlRefused::Malformed);
        }
        if authority.as_str().contains('@') {
            return Err(UrlRefused::User);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (encrypted, usual) = match scheme {
            "https" => (true, 443),
            "http" if is_this_machine(&host) => (false, 80),
            "http" => return Err(UrlRefused::Unprotected),
            _ => return Err(UrlRefused::Malformed),
        };
        let port = authority.port_u16().unwrap_or(usual);
        Ok(Self { host, port, encrypted, authorities: None, uri })
    }

    /// The same URL, trusting only the authorities in this PEM file.
    #[must_use]
    pub fn trusting(mut self, authorities: PathBuf) -> Self {
        self.authorities = Some(authorities);
        self
    }

    async fn read(&self) -> Result<Document, FetchError> {
        let tls = self.encrypted.then(|| fetch::tls(self.authorities.as_deref())).transpose()?;
        let answer = fetch::get(&self.uri, &self.host, self.port, tls).await?;
        let fresh = answer.max_age.map_or(URL_FRESH, |age| age.clamp(SOONEST, LATEST));
        Ok(Document { text: answer.body, fresh })
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_urls_are_asked() {
        let check = |text: &str, expected: Result<(&str, u16), UrlRefused>| {
            let url = KeyUrl::parse(text);
            let url = url.as_ref().map(|url| (url.host.as_str(), url.port)).map_err(|refused| *refused);
            assert_eq!(url, expected, "{text}");
        };
        check("https://idp.example/jwks", Ok(("idp.example", 443)));
        check("https://idp.example:8443/a/b?c=d", Ok(("idp.example", 8443)));
        check("https://[2001:db8::1]/jwks", Ok(("2001:db8::1", 443)));
        check("http://127.0.0.1:8080/jwks", Ok(("127.0.0.1", 8080)));
        check("http://[::1]/jwks", Ok(("::1", 80)));
        check("http://localhost/jwks", Ok(("localhost", 80)));
        check("http://idp.example/jwks", Err(UrlRefused::Unprotected));
        check("http://10.0.0.1/jwks", Err(UrlRefused::Unprotected));
        check("http://127.0.0.1.evil.example/jwks", Err(UrlRefused::Unprotected));
        check("http://localhost.evil.example/jwks", Err(UrlRefused::Unprotected));
        check("http://169.254.169.254/latest", Err(UrlRefused::Unprotected));
        check("https://user@idp.example/jwks", Err(UrlRefused::User));
        check("https://a:b@idp.example/jwks", Err(UrlRefused::User));
        check("http://localhost@evil.example/jwks", Err(UrlRefused::User));
        check("https://idp.example/jwks#x", Err(UrlRefused::Malformed));
        check("ftp://idp.example/jwks", Err(UrlRefused::Malformed));
        check("file:///etc/passwd", Err(UrlRefused::Malformed));
        check("idp.example/jwks", Err(UrlRefused::Malformed));
        check("/jwks", Err(UrlRefused::Malformed));
        check("", Err(UrlRefused::Malformed));
    }
}
