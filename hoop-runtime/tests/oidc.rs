//! Keys of issuers over a real connection: rotation, floods, outages and servers that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_runtime::oidc::{IssuerConfig, Issuers, KeySource, KeyUrl, NotAdmitted};
use hoopcore::Timestamp;
use hoopcore::identity::jwt::{IssuerSettings, TokenRefused};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A key of the issuer; its `kid` is its number.
struct Key(u8);

impl Key {
    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[self.0; 32]).unwrap()
    }

    fn jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair().public_key());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","kid":"{}","x":"{x}"}}"#, self.0)
    }

    /// A good token, signed with this key.
    fn token(&self) -> String {
        let now = Timestamp::now().as_second();
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, self.0);
        let claims = format!(r#"{{"iss":"https://idp.example","aud":"hoop","sub":"job","exp":{}}}"#, now + 300);
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair().sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn jwks(keys: &[u8]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| Key(*key).jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

type Answer = Response<Full<Bytes>>;

fn ok(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()))
}

/// A server that answers everything with the same words, and counts.
#[derive(Clone)]
struct Idp {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

impl Idp {
    async fn start(answer: Answer) -> Self {
        Self::serve(answer, None).await
    }

    async fn serve(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let idp = Self { address, answer: Arc::new(Mutex::new(answer)), asked: Arc::default() };
        let serving = idp.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => drop(tokio::spawn(serving.clone().connection(stream))),
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => drop(tokio::spawn(serving.clone().connection(stream))),
                        Err(_) => continue,
                    },
                }
            }
        });
        idp
    }

    async fn connection<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let service = service_fn(|_| {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer.lock().unwrap().clone();
            async { Ok::<_, Infallible>(answer) }
        });
        drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    }

    fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn issuers(&self) -> Issuers {
        let url = KeyUrl::parse(&format!("http://{}/jwks", self.address)).unwrap();
        issuers(KeySource::Url(url))
    }
}

fn issuers(keys: KeySource) -> Issuers {
    let settings = IssuerSettings::new("idp", "https://idp.example", "hoop");
    Issuers::new(vec![IssuerConfig { settings, keys }]).unwrap()
}

/// Moves the monotonic clock on, without waiting.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it happens");
}

async fn outcome(issuers: &Issuers, key: u8) -> String {
    match issuers.admit(&Key(key).token()).await {
        Ok(admitted) => admitted.identity.user.clone(),
        Err(refused) => refused.to_string(),
    }
}

const UNKNOWN: &str = "the token is signed with a key that its issuer has not published";
const NO_KEYS: &str = "the keys of issuer `idp` could not be had, or not for a day";

#[tokio::test]
async fn a_token_lets_in_with_keys_that_are_fetched_once() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    for _ in 0..10 {
        assert_eq!(outcome(&issuers, 1).await, "job");
    }
    assert_eq!(idp.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_once_a_minute_has_passed() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    issuers.load().await.unwrap();
    idp.says(ok(jwks(&[2])));
    assert_eq!(outcome(&issuers, 2).await, UNKNOWN, "a minute has not passed");
    assert_eq!(idp.asked(), 1);
    later(60).await;
    assert_eq!(outcome(&issuers, 2).await, "job");
    assert_eq!(outcome(&issuers, 1).await, UNKNOWN, "the issuer took it back");
    assert_eq!(idp.asked(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    issuers.load().await.unwrap();
    later(60).await;
    let flood: Vec<_> = (0..200)
        .map(|_| {
            let issuers = issuers.clone();
            tokio::spawn(async move { outcome(&issuers, 9).await })
        })
        .collect();
    for caller in flood {
        assert_eq!(caller.await.unwrap(), UNKNOWN);
    }
    assert_eq!(idp.asked(), 2);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_keep_the_others_from_new_keys() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    issuers.load().await.unwrap();
    idp.says(ok(jwks(&[2])));
    later(60).await;
    let token = Key(9).token();
    let mut leaving = Box::pin(issuers.admit(&token));
    assert!(futures_poll_once(leaving.as_mut()).await, "it waits for keys");
    drop(leaving);
    assert_eq!(outcome(&issuers, 2).await, "job");
    assert_eq!(idp.asked(), 2);
}

/// Whether the future is still pending after it was polled once.
async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn keys_are_renewed_in_the_background() {
    let mut answer = ok(jwks(&[1]));
    answer.headers_mut().insert("cache-control", "public, max-age=1000".parse().unwrap());
    let idp = Idp::start(answer).await;
    let issuers = idp.issuers();
    assert_eq!(outcome(&issuers, 1).await, "job");
    later(799).await;
    assert_eq!(outcome(&issuers, 1).await, "job");
    assert_eq!(idp.asked(), 1);
    idp.says(ok(jwks(&[2])));
    later(1).await;
    assert_eq!(outcome(&issuers, 1).await, "job", "nobody waits");
    until(|| idp.asked() == 2).await;
    assert_eq!(outcome(&issuers, 2).await, "job");
}

#[tokio::test]
async fn a_key_that_was_taken_back_lets_nobody_in_when_its_time_is_over() {
    let mut answer = ok(jwks(&[1]));
    answer.headers_mut().insert("cache-control", "max-age=1000".parse().unwrap());
    let idp = Idp::start(answer).await;
    let issuers = idp.issuers();
    assert_eq!(outcome(&issuers, 1).await, "job");
    idp.says(ok(jwks(&[2])));
    later(1000).await;
    assert_eq!(outcome(&issuers, 1).await, UNKNOWN);
    assert_eq!(outcome(&issuers, 2).await, "job");
    assert_eq!(idp.asked(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_out_of_a_file_lets_nobody_in_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, jwks(&[1, 2])).unwrap();
    let issuers = issuers(KeySource::File(file.clone()));
    issuers.load().await.unwrap();
    std::fs::write(&file, jwks(&[2])).unwrap();
    later(60).await;
    assert_eq!(outcome(&issuers, 1).await, UNKNOWN);
    // What is no key set takes no key back.
    for broken in ["", "{\"keys\":[]}", "{\"keys\""] {
        std::fs::write(&file, broken).unwrap();
        later(60).await;
        assert_eq!(outcome(&issuers, 2).await, "job", "{broken}");
    }
    std::fs::remove_file(&file).unwrap();
    later(60).await;
    assert_eq!(outcome(&issuers, 2).await, "job");
    later(24 * 60 * 60).await;
    assert_eq!(outcome(&issuers, 2).await, NO_KEYS);
}

/// Who waits for keys while their server hangs gets the older ones, in less time than a login may take.
#[tokio::test]
async fn an_issuer_that_hangs_is_not_waited_for_longer_than_a_login_lasts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = KeyUrl::parse(&format!("http://{}/jwks", listener.local_addr().unwrap())).unwrap();
    let issuers = issuers(KeySource::Url(url));
    let loading = issuers.load();
    let answering = async {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|_| async { Ok::<_, Infallible>(ok(jwks(&[1]))) });
        drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    };
    let (loaded, ()) = tokio::join!(loading, answering);
    loaded.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(outcome(&issuers, 1).await, "job");
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn an_outage_is_survived_for_a_day() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    issuers.load().await.unwrap();
    idp.says(status(StatusCode::SERVICE_UNAVAILABLE));
    later(24 * 60 * 60 - 10).await;
    assert_eq!(outcome(&issuers, 1).await, "job");
    later(10).await;
    assert_eq!(outcome(&issuers, 1).await, NO_KEYS);
    let asked = idp.asked();
    assert_eq!(outcome(&issuers, 1).await, NO_KEYS);
    assert_eq!(idp.asked(), asked, "not more often than once a minute");
    idp.says(ok(jwks(&[1])));
    later(60).await;
    assert_eq!(outcome(&issuers, 1).await, "job");
}

#[tokio::test]
async fn an_issuer_that_is_down_at_start_can_come_later() {
    let idp = Idp::start(status(StatusCode::BAD_GATEWAY)).await;
    let issuers = idp.issuers();
    let failed = issuers.load().await.unwrap_err();
    assert_eq!(failed[0].0, "idp");
    assert_eq!(outcome(&issuers, 1).await, NO_KEYS);
    idp.says(ok(jwks(&[1])));
    later(60).await;
    assert_eq!(outcome(&issuers, 1).await, "job");
}

#[tokio::test]
async fn bad_keys_do_not_replace_good_ones() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    issuers.load().await.unwrap();
    for bad in ["<html>", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"] {
        idp.says(ok(bad));
        later(60).await;
        assert_eq!(outcome(&issuers, 9).await, UNKNOWN);
        assert_eq!(outcome(&issuers, 1).await, "job", "{bad}");
    }
    assert_eq!(idp.asked(), 4);
}

fn status(status: StatusCode) -> Answer {
    let mut answer = ok("");
    *answer.status_mut() = status;
    answer
}

#[tokio::test]
async fn a_server_that_misbehaves_gives_no_keys() {
    let elsewhere = Idp::start(ok(jwks(&[1]))).await;
    let check = async |answer: Answer, expected: &str| {
        let idp = Idp::start(answer).await;
        let failed = idp.issuers().load().await.unwrap_err();
        let told = failed[0].1.to_string();
        assert!(told.ends_with(expected), "{told}\n    is not: {expected}");
    };
    let mut redirect = status(StatusCode::FOUND);
    let place = format!("http://{}/jwks", elsewhere.address);
    redirect.headers_mut().insert("location", place.parse().unwrap());
    check(redirect, "it answered 302 Found; redirects are not followed, write the final URL").await;
    assert_eq!(elsewhere.asked(), 0);
    check(status(StatusCode::NOT_FOUND), "it answered 404 Not Found").await;
    check(status(StatusCode::NO_CONTENT), "it answered 204 No Content").await;
    check(ok("<html></html>"), "the key set is not well-formed JSON").await;
    check(ok(vec![0xff]), "its answer is not UTF-8").await;
    check(ok(vec![b' '; 256 * 1024]), "the key set is not well-formed JSON").await;
    check(ok(vec![b' '; 256 * 1024 + 1]), "its answer is longer than 262144 bytes").await;
    check(ok(vec![b' '; 10 * 1024 * 1024]), "its answer is longer than 262144 bytes").await;
    let mut compressed = ok(jwks(&[1]));
    compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    check(compressed, "it answered in an encoding that was not asked for").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = KeyUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let failed = issuers(KeySource::Url(url)).load().await.unwrap_err();
    assert!(failed[0].1.to_string().ends_with("it took more than ten seconds"), "{}", failed[0].1);
}

#[tokio::test]
async fn a_server_that_hangs_up_gives_no_keys() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = KeyUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    assert!(issuers(KeySource::Url(url)).load().await.is_err());
}

#[tokio::test]
async fn https_is_checked_against_the_authority_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (ca, other_ca) = (folder.path().join("ca.pem"), folder.path().join("other.pem"));
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    std::fs::write(&other_ca, other.cert.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], signed.signing_key.serialize_der().try_into().unwrap());
    let idp = Idp::serve(ok(jwks(&[1])), Some(TlsAcceptor::from(Arc::new(config.unwrap())))).await;
    let at = |host: &str, ca: &std::path::Path| {
        let url = KeyUrl::parse(&format!("https://{host}:{}/jwks", idp.address.port())).unwrap();
        issuers(KeySource::Url(url.trusting(ca.to_owned())))
    };
    assert_eq!(outcome(&at("localhost", &ca), 1).await, "job");
    assert_eq!(outcome(&at("localhost", &other_ca), 1).await, NO_KEYS);
    assert_eq!(outcome(&at("127.0.0.1", &ca), 1).await, NO_KEYS, "another name");
    assert_eq!(outcome(&at("localhost", &folder.path().join("absent.pem")), 1).await, NO_KEYS);
    assert_eq!(idp.asked(), 1);
}

#[tokio::test]
async fn keys_can_stand_in_a_file_and_change_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let issuers = issuers(KeySource::File(file.clone()));
    assert!(issuers.load().await.unwrap_err()[0].1.to_string().contains("keys.json` cannot be read"));
    std::fs::write(&file, jwks(&[1])).unwrap();
    later(60).await;
    assert_eq!(outcome(&issuers, 1).await, "job");
    std::fs::write(&file, jwks(&[2])).unwrap();
    later(60).await;
    assert_eq!(outcome(&issuers, 2).await, "job");
}

#[tokio::test]
async fn a_token_of_a_stranger_makes_nobody_ask() {
    let idp = Idp::start(ok(jwks(&[1]))).await;
    let issuers = idp.issuers();
    for token in ["", "a.b.c", "e30.e30.", &Key(1).token().replace('.', "..")] {
        assert!(matches!(issuers.admit(token).await, Err(NotAdmitted::Refused(_))), "{token}");
    }
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"http://{}"}}"#, idp.address));
    let stranger = format!("{}.{claims}.AA", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1"}"#));
    assert!(matches!(issuers.admit(&stranger).await, Err(NotAdmitted::Refused(TokenRefused::Issuer))));
    assert_eq!(idp.asked(), 0);
}

#[test]
fn issuers_are_told_apart() {
    let config = || IssuerConfig {
        settings: IssuerSettings::new("idp", "https://idp.example", "hoop"),
        keys: KeySource::File("keys.json".into()),
    };
    let problems = Issuers::new(vec![config(), config()]).unwrap_err();
    assert_eq!(problems, ["two issuers have the URL `https://idp.example`", "two issuers have the name `idp`"]);
    assert!(Issuers::default().is_empty());
}
