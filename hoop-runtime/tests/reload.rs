//! The policy's files change while a gateway runs: edited, renamed over, swapped by a link, wrong, back again; and what is
//! held, granted and connected meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hoop_runtime::approvals::{AnswerError, Answered};
use hoop_runtime::{Admission, ApprovalWait, Config, Gateway, Reloads, Session};
use hoopcore::decision::Consent;
use hoopcore::{Command, Identity, Permit, Resource, Verified};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A gateway over files in a folder of its own, which it follows.
struct House {
    gateway: Gateway,
    folder: TempDir,
    following: JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.following.abort();
    }
}

const GATEWAY: &str = "
audit: { directory: audit, mode: written }
listeners: [{ protocol: postgres, address: ./pg.sock, resource: db }]
resources: { db: { kind: postgres, address: db.internal, databases: [shop], credential: { user: app } } }
";

/// A policy of these rules, one a line.
fn policy(rules: &str) -> String {
    let rules: String = rules.lines().map(|rule| format!("  - {{ who: anyone, on: db, {rule} }}\n")).collect();
    format!("hoop: 1\nrules:\n{rules}")
}

const READ: &str = "rule: reads, allow: { sql: { read: '*' } }";
const ASK: &str = "rule: asks, approve: { sql: update }, by: { group: dba }";

impl House {
    /// Policy files by name.
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self::over(folder, &names)
    }

    fn over(folder: TempDir, files: &[&str]) -> Self {
        let file = format!("policy: [{}]{GATEWAY}", files.join(", "));
        fs::write(folder.path().join("gateway.yaml"), file).unwrap();
        let gateway = Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap();
        let followed = gateway.clone();
        let following = tokio::spawn(async move { followed.follow_policy_files().await });
        Self { gateway, folder, following }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// As editors write: beside, and some time later over the old one.
    fn write(&self, name: &str, text: &str) {
        let beside = self.file("beside");
        fs::write(&beside, text).unwrap();
        let earlier = std::time::SystemTime::now() - Duration::from_secs(1);
        fs::File::options().write(true).open(&beside).unwrap().set_modified(earlier).unwrap();
        fs::rename(beside, self.file(name)).unwrap();
    }

    async fn until(&self, done: u64, refused: u64) {
        let expected = Reloads { done, refused };
        let reached = async {
            while self.gateway.reloads() != expected {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "{:?}, not {expected:?}", self.gateway.reloads());
    }

    fn session(&self) -> Session {
        self.gateway.session(Verified::vouched(Identity::named("etl"), "test"), Resource::postgres("db"), None)
    }

    async fn records(&self, kind: &str) -> Vec<Value> {
        self.gateway.trail().flush().await.unwrap();
        let files = fs::read_dir(self.file("audit")).unwrap();
        let text: String = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["kind"] == kind).collect()
    }
}

async fn word(session: &mut Session, sql: &str) -> String {
    match session.admit(&Command::sql(sql), None).await {
        Admission::Permitted(permit) if permit.masks_armed() => "permitted, masked".to_owned(),
        Admission::Permitted(_) => "permitted".to_owned(),
        Admission::Denied(denial) => format!("denied by {}", denial.rule.name),
        Admission::Held(_) => "held".to_owned(),
    }
}

async fn hold(session: &mut Session) -> ApprovalWait {
    match session.admit(&Command::sql("UPDATE t SET a = 1 WHERE b = 2"), None).await {
        Admission::Held(hold) => hold,
        other => panic!("{other:?}"),
    }
}

fn person(name: &str, group: &str) -> Verified<Identity> {
    Verified::vouched(Identity::named(name).with_groups([group]), "a test")
}

#[tokio::test]
async fn the_next_command_sees_the_new_policy() {
    let house = House::new(&[("policy.yaml", &policy(READ))]);
    let mut session = house.session();
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "permitted");
    let before = *house.gateway.policy().digest();
    house.write("policy.yaml", &policy("rule: none, block: { sql: read }"));
    house.until(1, 0).await;
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "denied by none");
    let records = house.records("policy_reloaded").await;
    let hex = |digest: &[u8; 32]| hoop_runtime::trail::hex(digest);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["before"], hex(&before));
    assert_eq!(records[0]["after"], hex(house.gateway.policy().digest()));
}

#[tokio::test]
async fn a_wrong_file_leaves_the_policy_as_it_is() {
    let house = House::new(&[("policy.yaml", &policy(READ))]);
    let mut session = house.session();
    house.write("policy.yaml", "hoop: 1\nrules:\n  - { rule: x, who: anyone, on: db, alow: { sql: read } }\n");
    house.until(0, 1).await;
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "permitted");
    let refused = &house.records("policy_refused").await[0];
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.ends_with("policy.yaml:3:37: unknown key of a rule `alow`"), "{reason}");
    fs::remove_file(house.file("policy.yaml")).unwrap();
    house.until(0, 2).await;
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "permitted");
    house.write("policy.yaml", &policy("rule: none, block: { sql: read }"));
    house.until(1, 2).await;
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "denied by none");
}

/// With the times of the old one.
#[tokio::test]
async fn a_file_that_is_renamed_over_is_seen() {
    let house = House::new(&[("policy.yaml", &policy(READ))]);
    let old = fs::metadata(house.file("policy.yaml")).unwrap().modified().unwrap();
    let text = policy("rule: reads, block: { sql: { read: '*' } }");
    assert_eq!(text.len(), policy(READ).len());
    fs::write(house.file("beside"), &text).unwrap();
    fs::File::options().write(true).open(house.file("beside")).unwrap().set_modified(old).unwrap();
    fs::rename(house.file("beside"), house.file("policy.yaml")).unwrap();
    house.until(1, 0).await;
    assert_eq!(word(&mut house.session(), "SELECT a FROM t").await, "denied by reads");
}

#[tokio::test]
async fn a_file_that_is_written_in_its_place_is_seen() {
    let house = House::new(&[("policy.yaml", &policy(READ))]);
    fs::write(house.file("policy.yaml"), policy("rule: none, block: { sql: read }")).unwrap();
    house.until(1, 0).await;
    assert_eq!(word(&mut house.session(), "SELECT a FROM t").await, "denied by none");
}

/// As Kubernetes mounts a ConfigMap: files are links into a folder that is a link, and that one is swapped. Two files
/// become another policy at once.
#[tokio::test]
async fn a_link_that_is_swapped_changes_all_files_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let version = |name: &str, first: &str, second: &str| {
        let dir = folder.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("a.yaml"), policy(first)).unwrap();
        fs::write(dir.join("b.yaml"), policy(second)).unwrap();
    };
    version("..1", READ, "rule: two, allow: { sql: insert }");
    // The same names in the other file: together with one of the first version, no policy.
    version("..2", "rule: two, block: { sql: insert }", READ);
    let link = |to: &str, name: &str| symlink(to, folder.path().join(name)).unwrap();
    link("..1", "..data");
    link("..data/a.yaml", "a.yaml");
    link("..data/b.yaml", "b.yaml");
    let house = House::over(folder, &["a.yaml", "b.yaml"]);
    let mut session = house.session();
    assert_eq!(word(&mut session, "INSERT INTO t VALUES (1)").await, "permitted");
    symlink("..2", house.file("..tmp")).unwrap();
    fs::rename(house.file("..tmp"), house.file("..data")).unwrap();
    house.until(1, 0).await;
    assert_eq!(word(&mut session, "INSERT INTO t VALUES (1)").await, "denied by two");
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "permitted");
}

/// Touching changes nothing; being told to reload does, and is on record.
#[tokio::test]
async fn the_same_text_is_loaded_only_when_asked_for() {
    let house = House::new(&[("policy.yaml", &policy(READ))]);
    house.write("policy.yaml", &policy(READ));
    assert!(house.gateway.reload_policy().await);
    assert_eq!(house.gateway.reloads(), Reloads { done: 1, refused: 0 });
    house.write("policy.yaml", &policy(ASK));
    house.until(2, 0).await;
    let records = house.records("policy_reloaded").await;
    assert_eq!(records[0]["before"], records[0]["after"]);
    assert_ne!(records[1]["before"], records[1]["after"]);
}

/// The same rules in other lines: nothing is judged anew, and records name the lines that are there now.
#[tokio::test]
async fn the_same_rules_are_no_other_policy() {
    let house = House::new(&[("policy.yaml", &policy(&format!("{READ}\n{ASK}")))]);
    let mut session = house.session();
    let (edition, held) = (session.follow_policy(), hold(&mut session).await);
    house.write("policy.yaml", &format!("# a comment\n{}", policy(&format!("{READ}\n{ASK}"))));
    assert!(house.gateway.reload_policy().await);
    assert_eq!(session.follow_policy(), edition);
    assert_eq!(word(&mut session, "SELECT a FROM t").await, "permitted");
    let decisions = house.records("decision").await;
    let places: Vec<_> = decisions.iter().map(|told| (&told["rule"]["name"], &told["rule"]["line"])).collect();
    assert_eq!(serde_json::json!(places), serde_json::json!([["asks", 4], ["reads", 4]]));
    assert_eq!(house.gateway.answer(held.id(), person("ada", "dba"), Consent::Yes).await, Ok(Answered::Released));
    house.write("policy.yaml", &policy(READ));
    assert!(house.gateway.reload_policy().await);
    assert_eq!(session.follow_policy(), edition + 1);
}

async fn released(hold: ApprovalWait) -> String {
    match tokio::time::timeout(Duration::from_secs(20), hold).await.expect("it is still held") {
        Ok(_) => "permitted".to_owned(),
        Err(denial) => format!("denied by {}: {}", denial.rule.name, denial.reason),
    }
}

#[tokio::test]
async fn what_is_held_is_judged_again_at_once() {
    let check = async |after: &str, expected: &str| {
        let house = House::new(&[("policy.yaml", &policy(&format!("{READ}\n{ASK}")))]);
        let held = hold(&mut house.session()).await;
        house.write("policy.yaml", &policy(after));
        assert_eq!(released(held).await, expected);
        assert!(house.gateway.approvals().list().is_empty());
    };
    check("rule: frozen, block: { sql: update }, reason: no changes today", "denied by frozen: no changes today").await;
    check(READ, "denied by default: no rule allows `update` on `public.t`").await;
    check("rule: free, allow: { sql: { update: '*', read: '*' } }", "permitted").await;
}

#[tokio::test]
async fn changed_demands_are_shown_anew() {
    let both = format!("{READ}\n{ASK}");
    let house = House::new(&[("policy.yaml", &policy(&both))]);
    let mut held = hold(&mut house.session()).await;
    let (id, before) = (held.id().to_owned(), held.request().deadline);
    let other = "rule: others-ask, approve: { sql: update }, by: { group: ops }, within: 2m";
    house.write("policy.yaml", &policy(&format!("{READ}\n{other}")));
    let changed = async {
        while !held.take_change() {
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(std::future::Future::poll(std::pin::Pin::new(&mut held), cx).is_ready())
            });
            assert!(!polled.await, "it is over");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();
    assert_eq!(held.request().rules[0].name.as_ref(), "others-ask");
    assert!(held.request().deadline < before, "the shorter time holds");
    let waiting = house.gateway.approvals().find(&id).unwrap();
    assert_eq!(waiting.demands[0].group.as_ref(), "ops");
    assert!(house.gateway.answer(&id, person("ada", "dba"), Consent::Yes).await.is_err());
    let bob = || person("bob", "ops");
    let unseen = Err(AnswerError::Changed(id.clone()));
    assert_eq!(house.gateway.answer(&id, bob(), Consent::Yes).await, unseen);
    house.gateway.approvals().look(&id, &person("eve", "ops")).unwrap();
    assert_eq!(house.gateway.answer(&id, bob(), Consent::Yes).await, unseen);
    house.gateway.approvals().look(&id, &bob()).unwrap();
    assert_eq!(house.gateway.answer(&id, bob(), Consent::Yes).await, Ok(Answered::Released));
    assert!(held.await.is_ok());
}

/// Fewer people and longer consent: nobody agreed to that, so all are asked anew, and told.
#[tokio::test]
async fn consent_does_not_grow_with_the_policy() {
    let asks = |rest: &str| policy(&format!("{READ}\nrule: asks, approve: {{ sql: update }}, by: {{ group: dba{rest}"));
    let house = House::new(&[("policy.yaml", &asks(", people: 2 }, grant: once"))]);
    let mut session = house.session();
    let held = hold(&mut session).await;
    let (id, answer) =
        (held.id().to_owned(), |name: &str| house.gateway.answer(held.id(), person(name, "dba"), Consent::Yes));
    assert_eq!(answer("ada").await, Ok(Answered::StillWaiting));
    house.write("policy.yaml", &asks(" }, grant: 30d"));
    assert!(house.gateway.reload_policy().await);
    assert!(house.gateway.approvals().find(&id).unwrap().demands[0].agreed.is_empty());
    assert_eq!(answer("ada").await, Err(AnswerError::Changed(id.clone())));
    let shown = house.gateway.approvals().look(&id, &person("ada", "dba")).unwrap();
    assert_eq!((shown.demands[0].people, shown.demands[0].terms.to_string().as_str()), (1, "30d"));
    assert_eq!(answer("ada").await, Ok(Answered::Released));
    assert!(held.await.is_ok());
}

/// Held or answered while the policy changes: each is judged by the policy that comes last, and none is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_changes_at_the_same_time() {
    for round in 0..20 {
        let house = House::new(&[("policy.yaml", &policy(&format!("{READ}\n{ASK}, grant: 1h")))]);
        let mut session = house.session();
        let held = hold(&mut session).await;
        house.write("policy.yaml", &policy("rule: frozen, block: { sql: update }"));
        let (gateway, id) = (house.gateway.clone(), held.id().to_owned());
        let answer = tokio::spawn(async move { gateway.answer(&id, person("ada", "dba"), Consent::Yes).await });
        assert!(house.gateway.reload_policy().await);
        drop(answer.await.unwrap());
        let came_to = released(held).await;
        assert!(came_to == "permitted" || came_to.starts_with("denied by frozen"), "round {round}: {came_to}");
        assert_eq!(word(&mut session, "UPDATE t SET a = 1 WHERE b = 2").await, "denied by frozen", "round {round}");
    }
}

async fn permit(session: &mut Session) -> Option<Permit> {
    match session.admit(&Command::sql("UPDATE t SET a = 1 WHERE b = 2"), None).await {
        Admission::Permitted(permit) => Some(permit),
        Admission::Held(_) => None,
        Admission::Denied(denial) => panic!("{denial}"),
    }
}

/// Lets what a session asks for go on.
async fn agree(house: &House, session: &mut Session) {
    let held = hold(session).await;
    assert_eq!(house.gateway.answer(held.id(), person("ada", "dba"), Consent::Yes).await, Ok(Answered::Released));
    assert!(held.await.is_ok());
}

fn granting(terms: &str) -> House {
    House::new(&[("policy.yaml", &policy(&format!("{READ}\n{ASK}, grant: {terms}")))])
}

#[tokio::test]
async fn a_grant_is_used_up_by_its_count() {
    let house = granting("3 times");
    let (mut one, mut other) = (house.session(), house.session());
    agree(&house, &mut one).await;
    assert!(permit(&mut other).await.is_some());
    assert!(permit(&mut one).await.is_some());
    assert!(permit(&mut one).await.is_none());
    let grants: Vec<String> = house
        .records("decision")
        .await
        .iter()
        .filter(|record| record["grant"].is_object())
        .map(|record| format!("{} {}/{}", record["verdict"], record["grant"]["use"], record["grant"]["of"]))
        .collect();
    assert_eq!(grants, [r#""allow" 1/3"#, r#""allow" 2/3"#, r#""allow" 3/3"#]);
    let ids: std::collections::BTreeSet<String> = house
        .records("decision")
        .await
        .iter()
        .filter_map(|record| record["grant"]["approval"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 1, "all name the approval that they come from");
}

#[tokio::test]
async fn a_grant_for_a_session_ends_with_it() {
    let house = granting("session");
    let (mut one, mut other) = (house.session(), house.session());
    agree(&house, &mut one).await;
    assert!(permit(&mut one).await.is_some());
    assert!(permit(&mut other).await.is_none());
    drop(one);
    assert!(permit(&mut house.session()).await.is_none());
}

#[tokio::test]
async fn a_grant_is_taken_back() {
    let house = granting("3 times");
    let mut session = house.session();
    assert_eq!(house.gateway.granted(), []);
    agree(&house, &mut session).await;
    assert!(permit(&mut session).await.is_some());
    let [grant] = <[_; 1]>::try_from(house.gateway.granted()).unwrap();
    assert_eq!((grant.left, grant.people, grant.session), (Some(1), vec!["ada".to_owned()], false));
    assert!(grant.command.starts_with("update t set") && grant.seconds_left > 80_000, "{}", grant.command);

    let revoke = async |id: &str, who: Verified<Identity>| house.gateway.revoke(id, &who).await;
    assert_eq!(revoke("nothing", person("ada", "dba")).await, Err(AnswerError::NoGrant("nothing".into())));
    assert!(matches!(revoke(&grant.id, person("eve", "visitors")).await, Err(AnswerError::NotAsked { .. })));
    assert_eq!(house.gateway.granted().len(), 1);
    assert_eq!(revoke(&grant.id, person("bob", "dba")).await, Ok(()));
    assert_eq!(house.gateway.granted(), []);
    assert!(permit(&mut session).await.is_none());
    assert!(matches!(revoke(&grant.id, person("bob", "dba")).await, Err(AnswerError::NoGrant(_))));
    let records = house.records("approval_revoked").await;
    assert_eq!(
        (records.len(), &records[0]["by"], &records[0]["approval"]),
        (1, &"bob".into(), &grant.id.as_str().into())
    );
}

#[tokio::test]
async fn another_policy_ends_all_grants() {
    let house = granting("1h");
    let mut session = house.session();
    agree(&house, &mut session).await;
    assert!(permit(&mut session).await.is_some());
    house.write("policy.yaml", &policy(&format!("{READ}\n{ASK}, grant: 1h, within: 2m")));
    house.until(1, 0).await;
    assert!(permit(&mut session).await.is_none());
    // The very policy of before is back: what was agreed to then is not.
    house.write("policy.yaml", &policy(&format!("{READ}\n{ASK}, grant: 1h")));
    house.until(2, 0).await;
    assert!(permit(&mut session).await.is_none());
}

#[tokio::test]
async fn consent_for_a_caller_who_left_is_not_kept() {
    let house = granting("5 times");
    let mut session = house.session();
    drop(hold(&mut session).await);
    assert!(permit(&mut session).await.is_none());
}

/// However many sessions ask at once, a grant is good for as many executions as it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_ask_at_once_do_not_share_an_execution() {
    let house = granting("11 times");
    agree(&house, &mut house.session()).await;
    let asking = (0..50).map(|_| {
        let mut session = house.session();
        tokio::spawn(async move { permit(&mut session).await.is_some() })
    });
    let mut permitted = 0;
    for asked in asking.collect::<Vec<_>>() {
        permitted += u32::from(asked.await.unwrap());
    }
    assert_eq!(permitted, 10);
}

/// Two people, the deadline and the caller's leaving, all at once: the command goes on at most once, and never after a
/// no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_deadlines_and_leaving_at_once() {
    for round in 0..6 {
        let house = House::new(&[("policy.yaml", &policy(&format!("{READ}\n{ASK}, within: 1s, grant: 2 times")))]);
        let mut session = house.session();
        let held = hold(&mut session).await;
        let deadline = held.request().deadline;
        let answer = |name: &'static str| {
            let (gateway, id) = (house.gateway.clone(), held.id().to_owned());
            tokio::spawn(async move {
                while hoopcore::Timestamp::now() + Duration::from_millis(2) < deadline {
                    tokio::task::yield_now().await;
                }
                gateway.answer(&id, person(name, "dba"), Consent::Yes).await
            })
        };
        let answers = [answer("ada"), answer("bob")];
        let came_to = if round % 2 == 0 { released(held).await } else { held.withdraw().reason.into_owned() };
        let mut yes = 0;
        for answer in answers {
            yes += u32::from(answer.await.unwrap() == Ok(Answered::Released));
        }
        assert!(yes <= 1 && (yes == 1) == (came_to == "permitted"), "round {round}: {yes} {came_to}");
        assert!(house.gateway.approvals().list().is_empty());
        assert_eq!(
            permit(&mut session).await.is_some(),
            yes == 1,
            "round {round}: a grant of nothing that was released"
        );
    }
}

#[test]
fn folders_are_no_policy() {
    assert!(hoop_runtime::policy_files::load(&[Path::new("/")]).is_err());
}
