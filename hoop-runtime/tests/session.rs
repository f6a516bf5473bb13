//! A session from login to its closing records: permitted, denied, held, answered, expired, withdrawn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use hoop_runtime::approvals::{AnswerError, Answered, Ask, Reply, ask};
use hoop_runtime::{Admission, ApprovalWait, Attempt, Config, Gateway, Session};
use hoopcore::audit::{Completion, CompletionStatus};
use hoopcore::decision::Consent;
use hoopcore::{Command, Denial, Identity, Resource, Verified};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tracing_subscriber::util::SubscriberInitExt;

const POLICY: &str = "
hoop: 1
rules:
  - rule: jobs-read-orders
    who: { group: batch-jobs }
    on: orders-db
    allow: { sql: { read: public.orders } }
  - rule: no-truncate
    who: anyone
    on: orders-db
    block: { sql: truncate }
    reason: nobody empties a table here
  - rule: fixes-need-a-person
    who: { group: batch-jobs }
    on: orders-db
    approve: { sql: { update: public.orders } }
    by: { group: dba }
  - rule: inserts-need-two
    who: { group: batch-jobs }
    on: orders-db
    approve: { sql: { insert: public.orders } }
    by: { group: dba, people: 2 }
  - rule: deletes-are-urgent
    who: { group: batch-jobs }
    on: orders-db
    approve: { sql: { delete: public.orders } }
    by: { group: dba }
    within: 1s
";

/// A gateway over a folder of its own.
struct House {
    gateway: Gateway,
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(POLICY, "")
    }

    /// One read a minute, beside a resource where the policy is only watched.
    fn watching() -> Self {
        let rule = "{ rule: reads, who: anyone, on: [orders-db, old], allow: { sql: { read: public.orders } }, limits: { per_minute: 1 } }";
        let old = "  old: { kind: postgres, address: old.internal, databases: [shop], credential: { user: app }, mode: observe }\n";
        Self::with(&format!("hoop: 1\nrules:\n  - {rule}\n"), old)
    }

    fn with(policy: &str, resources: &str) -> Self {
        LazyLock::force(&LOG);
        let folder = tempfile::tempdir().unwrap();
        let user = std::env::var("USER").unwrap_or_default();
        let name = uzers::get_current_username().map_or(user, |name| name.to_string_lossy().into_owned());
        let file = format!(
            "
policy: policy.yaml
audit: {{ directory: audit }}
identities:
  etl-7: {{ kind: workload, groups: [batch-jobs], password: {{ file: secret }} }}
listeners: [{{ protocol: postgres, address: ./pg.sock, resource: orders-db }}]
resources:
  orders-db: {{ kind: postgres, address: db.internal, databases: [shop], credential: {{ user: app }} }}
{resources}approvals: {{ socket: approvals.sock, approvers: {{ {name}: {{ name: ada, identities: [Ada@corp.example], groups: [dba] }} }} }}
"
        );
        fs::write(folder.path().join("policy.yaml"), policy).unwrap();
        fs::write(folder.path().join("secret"), "opensesame").unwrap();
        fs::write(folder.path().join("gateway.yaml"), file).unwrap();
        let gateway = Gateway::open(Config::read(&folder.path().join("gateway.yaml")).unwrap()).unwrap();
        Self { gateway, folder }
    }

    async fn session(&self) -> Session {
        self.session_on("orders-db").await
    }

    async fn session_on(&self, resource: &str) -> Session {
        let who = self.gateway.prove("etl-7", b"opensesame").await.unwrap();
        self.gateway.login(who, Resource::postgres(resource).with_database("shop"), None).await.unwrap()
    }

    /// Answers approvers until it is aborted.
    async fn serve(&self) -> JoinHandle<std::io::Result<()>> {
        let gateway = self.gateway.clone();
        let server = tokio::spawn(async move { gateway.serve_approvals().await });
        let socket = self.folder.path().join("approvals.sock");
        let listens = async {
            while !socket.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), listens).await.unwrap();
        server
    }

    /// All records, once they are safe, without the first line of the file.
    async fn records(&self) -> Vec<Value> {
        self.gateway.trail().flush().await.unwrap();
        let mut files: Vec<_> =
            fs::read_dir(self.folder.path().join("audit")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Each record as `kind verdict-or-status rule`.
    async fn story(&self) -> Vec<String> {
        let word = |record: &Value, path: &str| record.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let line = |record: &Value| {
            let words = ["/kind", "/verdict", "/completion/status", "/rule/name", "/answer", "/by"];
            words.iter().filter_map(|path| word(record, path)).collect::<Vec<_>>().join(" ")
        };
        self.records().await.iter().map(line).collect()
    }
}

fn orders() -> Resource {
    Resource::postgres("orders-db").with_database("shop")
}

fn person(name: &str, group: &str) -> Verified<Identity> {
    Verified::vouched(Identity::named(name).with_groups([group]), "a test")
}

async fn denied(session: &mut Session, sql: &str) -> Denial {
    match session.admit(&Command::sql(sql), None).await {
        Admission::Denied(denial) => denial,
        other => panic!("{sql}: {other:?}"),
    }
}

async fn held(session: &mut Session, sql: &str) -> ApprovalWait {
    match session.admit(&Command::sql(sql), None).await {
        Admission::Held(hold) => hold,
        other => panic!("{sql}: {other:?}"),
    }
}

const UPDATE: &str = "UPDATE public.orders SET note = 'secret' WHERE id = 3";

#[tokio::test]
async fn what_is_permitted_is_recorded_before_and_after() {
    let house = House::new();
    let mut session = house.session().await;
    let admission = session.admit(&Command::sql("SELECT note FROM public.orders WHERE note = 'secret'"), None).await;
    let Admission::Permitted(permit) = admission else { panic!("{admission:?}") };
    assert_eq!(house.story().await, ["login", "decision allow jobs-read-orders"]);
    let passage = permit.spend();
    session.close(passage.close(Completion { status: CompletionStatus::Done, rows: 1, bytes: 20 }));
    assert_eq!(house.story().await.pop().unwrap(), "closing done");
    let records = house.records().await;
    assert!(records.iter().all(|record| record["session"] == session.id()));
    assert_eq!(records[1]["decision"], records[2]["decision"]);
    assert_eq!(records[1]["who"]["groups"], serde_json::json!(["batch-jobs"]));
    assert!(records[1]["effects"].as_array().unwrap().contains(&Value::from("read public.orders")));
    assert!(!format!("{records:?}").contains("secret"));
}

/// A client that leaves does not wait for its records: each is taken back, or the trail says that nothing came of it.
#[tokio::test]
async fn what_nobody_waited_for_is_closed() {
    let house = House::new();
    let mut session = house.session().await;
    for round in 0..100 {
        let waits = session.admit(&Command::sql("SELECT note FROM public.orders"), None);
        if round % 2 == 0 {
            house.gateway.trail().flush().await.unwrap();
        }
        drop(waits);
    }
    let story = house.story().await;
    let count = |what: &str| story.iter().filter(|told| *told == what).count();
    assert!(count("decision allow jobs-read-orders") >= 50);
    assert_eq!(count("decision allow jobs-read-orders"), count("closing not_carried_out"), "{story:?}");
}

#[tokio::test]
async fn who_leaves_while_logging_in_did_not_come_in() {
    let house = House::new();
    let mut came_in = 0;
    for _ in 0..200 {
        let who = house.gateway.prove("etl-7", b"opensesame").await.unwrap();
        let login = house.gateway.login(who, orders(), None);
        came_in += usize::from(tokio::time::timeout(Duration::ZERO, login).await.is_ok());
    }
    let records = house.records().await;
    let kind = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert!(kind("login") > 0 && records.iter().all(|record| record["kind"] != "void" || record["voids"] == "login"));
    assert_eq!(kind("login"), came_in + kind("void"));
}

#[tokio::test]
async fn what_is_refused_says_which_rule() {
    let house = House::new();
    let mut session = house.session().await;
    let refused = denied(&mut session, "TRUNCATE public.orders").await;
    assert_eq!(refused.rule.name.as_ref(), "no-truncate");
    assert_eq!(refused.reason, "nobody empties a table here");
    assert_eq!(denied(&mut session, "DROP TABLE public.orders").await.rule.name.as_ref(), "default");
    assert_eq!(house.story().await[1..], ["decision block no-truncate", "decision block default"]);
    let place = &house.records().await[1]["rule"];
    assert!(place["file"].as_str().unwrap().ends_with("policy.yaml"));
    assert_eq!(place["line"], 8);
}

#[tokio::test]
async fn preparing_refuses_only_what_nothing_could_permit() {
    let house = House::new();
    let mut session = house.session().await;
    assert!(session.prepare(&Command::sql("SELECT 1 FROM public.orders")).await.is_none());
    assert!(session.prepare(&Command::sql(UPDATE)).await.is_none());
    assert!(session.prepare(&Command::sql("TRUNCATE public.orders")).await.is_some());
    assert_eq!(house.story().await, ["login", "decision block no-truncate"]);
}

#[tokio::test]
async fn who_may_do_nothing_is_not_let_in() {
    let house = House::new();
    let nobody = person("eve", "nobodies");
    let told = house.gateway.login(nobody.clone(), orders(), None).await.unwrap_err();
    let absent = house.gateway.login(nobody, Resource::postgres("no-such-db"), None).await.unwrap_err();
    assert_eq!(told, absent, "whether a resource exists does not show");
    let attempt = Attempt { user: "etl-7".to_owned(), ..Attempt::default() };
    assert_eq!(house.gateway.refuse_login(&attempt, "wrong password").await, told);
    assert_eq!(house.story().await, ["login_refused"; 3]);
    assert_eq!(house.records().await[2]["reason"], "wrong password");
}

#[tokio::test]
async fn a_person_releases_what_is_held() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, UPDATE).await;
    assert_eq!(hold.request().command.text(), UPDATE);
    let id = hold.id().to_owned();
    let answer = |who| house.gateway.answer(&id, who, Consent::Yes);
    assert_eq!(answer(person("etl-7", "dba")).await, Err(AnswerError::Own(id.clone())));
    assert!(matches!(answer(person("bob", "sales")).await, Err(AnswerError::NotAsked { .. })));
    assert_eq!(answer(person("ada", "dba")).await, Ok(Answered::Released));
    assert_eq!(answer(person("ada", "dba")).await, Err(AnswerError::Unknown(id.clone())));
    assert!(hold.await.is_ok());
    let story = house.story().await;
    let expected = [
        "decision approve fixes-need-a-person",
        "approval_asked",
        "approval_answered yes ada",
        "decision allow fixes-need-a-person",
    ];
    assert_eq!(story[1..], expected);
}

#[tokio::test]
async fn nobody_sees_a_question_that_is_not_on_record() {
    let house = House::new();
    let mut session = house.session().await;
    let command = Command::sql(UPDATE);
    let mut asked = std::pin::pin!(async { session.admit(&command, None).await });
    let seen = || house.gateway.approvals().list().len();
    let admission = std::future::poll_fn(|cx| {
        let polled = Future::poll(asked.as_mut(), cx);
        assert_eq!(seen(), usize::from(polled.is_ready()));
        polled
    });
    let Admission::Held(hold) = admission.await else { panic!("it is held") };
    assert_eq!((house.gateway.approvals().list()[0].id.as_str(), seen()), (hold.id(), 1));
    assert!(house.story().await.contains(&"approval_asked".to_owned()));
}

#[tokio::test]
async fn what_is_watched_uses_up_no_rate() {
    let house = House::watching();
    let read = Command::sql("SELECT count(*) FROM public.orders");
    let mut watched = house.session_on("old").await;
    for _ in 0..3 {
        assert!(matches!(watched.admit(&read, None).await, Admission::Permitted(_)));
    }
    let mut enforced = house.session_on("orders-db").await;
    assert!(matches!(enforced.admit(&read, None).await, Admission::Permitted(_)));
    assert!(matches!(enforced.admit(&read, None).await, Admission::Denied(_)));
}

/// An answer that is not waited for to its end leaves the command waiting, or ends it: it is never forgotten.
#[tokio::test]
async fn an_answer_that_is_broken_off_leaves_nothing_held_for_ever() {
    let house = House::new();
    let mut session = house.session().await;
    for polls in 1..6 {
        let hold = held(&mut session, UPDATE).await;
        let (id, gateway) = (hold.id().to_owned(), &house.gateway);
        let mut answer = Box::pin(gateway.answer(&id, person("ada", "dba"), Consent::Yes));
        for _ in 0..polls {
            let done = std::future::poll_fn(|cx| std::task::Poll::Ready(answer.as_mut().poll(cx).is_ready())).await;
            if done {
                break;
            }
            gateway.trail().flush().await.unwrap();
        }
        drop(answer);
        match gateway.answer(&id, person("bob", "dba"), Consent::Yes).await {
            Ok(Answered::Released) => assert!(hold.await.is_ok(), "after {polls} polls"),
            Err(AnswerError::Unknown(_)) => drop(hold.await),
            other => panic!("after {polls} polls: {other:?}"),
        }
    }
}

/// Whoever was let go and is not there any more did nothing.
#[tokio::test]
async fn a_permit_that_nobody_takes_is_closed() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, UPDATE).await;
    assert_eq!(house.gateway.answer(hold.id(), person("ada", "dba"), Consent::Yes).await, Ok(Answered::Released));
    drop(hold);
    let story = house.story().await;
    assert!(story.contains(&"decision allow fixes-need-a-person".to_owned()), "{story:?}");
    assert!(story.contains(&"closing not_carried_out".to_owned()), "{story:?}");
    // The same where the caller leaves while the answer is recorded.
    let hold = held(&mut session, UPDATE).await;
    let id = hold.id().to_owned();
    let mut answer = Box::pin(house.gateway.answer(&id, person("ada", "dba"), Consent::Yes));
    let begun = std::future::poll_fn(|cx| std::task::Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
    assert!(begun);
    drop(hold);
    assert_eq!(answer.await, Ok(Answered::CallerLeft));
    let story = house.story().await;
    let count = |what: &str| story.iter().filter(|told| *told == what).count();
    assert_eq!(count("decision allow fixes-need-a-person"), 2, "{story:?}");
    assert_eq!(count("closing not_carried_out"), 2, "{story:?}");
}

#[tokio::test]
async fn a_person_refuses_what_is_held() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, UPDATE).await;
    let answered = house.gateway.answer(hold.id(), person("ada", "dba"), Consent::No).await;
    assert_eq!(answered, Ok(Answered::Refused));
    let denial = hold.await.unwrap_err();
    assert_eq!((denial.rule.name.as_ref(), denial.reason.as_ref()), ("fixes-need-a-person", "`ada` said no"));
}

#[tokio::test]
async fn two_people_are_two_different_people() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, "INSERT INTO public.orders VALUES (1)").await;
    for (name, answered) in
        [("ada", Answered::StillWaiting), ("ada", Answered::StillWaiting), ("bob", Answered::Released)]
    {
        assert_eq!(house.gateway.answer(hold.id(), person(name, "dba"), Consent::Yes).await, Ok(answered), "{name}");
    }
    assert!(hold.await.is_ok());
}

#[tokio::test]
async fn nobody_in_time_is_a_no() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, "DELETE FROM public.orders WHERE id = 1").await;
    assert_eq!(hold.await.unwrap_err().reason, "nobody answered in time");
    let story = house.story().await;
    assert_eq!(story[3..], ["approval_expired", "decision block deletes-are-urgent"]);
    assert!(house.gateway.approvals().list().is_empty());
}

#[tokio::test]
async fn a_caller_who_leaves_withdraws() {
    let house = House::new();
    let mut session = house.session().await;
    drop(held(&mut session, UPDATE).await);
    let told = held(&mut session, UPDATE).await.withdraw();
    assert_eq!(told.reason, "the request was withdrawn");
    assert!(house.gateway.approvals().list().is_empty());
    let story = house.story().await;
    let withdrawn = ["approval_withdrawn", "decision block fixes-need-a-person"];
    assert_eq!(story[3..5], withdrawn);
    assert_eq!(story[7..9], withdrawn);
}

/// Whichever of a hundred answers comes first counts, and the command is released once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_answer_counts_of_many_at_once() {
    let house = House::new();
    let mut session = house.session().await;
    let hold = held(&mut session, UPDATE).await;
    let answers = (0..100).map(|number| {
        let (gateway, id) = (house.gateway.clone(), hold.id().to_owned());
        tokio::spawn(async move { gateway.answer(&id, person(&format!("p{number}"), "dba"), Consent::Yes).await })
    });
    let mut released = 0;
    for answer in answers.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(Answered::Released) => released += 1,
            Ok(other) => panic!("{other:?}"),
            Err(AnswerError::Unknown(_) | AnswerError::Contested(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(released, 1);
    assert!(hold.await.is_ok());
}

async fn over_socket(folder: &Path, question: Ask) -> Reply {
    let socket = folder.join("approvals.sock");
    tokio::task::spawn_blocking(move || ask(&socket, &question).unwrap()).await.unwrap()
}

/// The approver is somebody's operating-system user; the caller came with a token that calls the same person otherwise.
#[tokio::test]
async fn nobody_answers_for_themselves_under_another_name() {
    let house = House::new();
    let server = house.serve().await;
    let me = uzers::get_current_username().unwrap().to_string_lossy().into_owned();
    for (name, own) in
        [("ada@corp.example", true), ("ada", true), (me.as_str(), true), ("ada@elsewhere.example", false)]
    {
        let mut session = house.gateway.login(person(name, "batch-jobs"), orders(), None).await.unwrap();
        let hold = held(&mut session, UPDATE).await;
        let reply = over_socket(house.folder.path(), Ask::Approve(hold.id().to_owned())).await;
        let expected = if own {
            Reply::Refused(AnswerError::Own(hold.id().to_owned()).to_string())
        } else {
            Reply::Answered(Answered::Released)
        };
        assert_eq!(reply, expected, "{name}");
    }
    server.abort();
}

#[tokio::test]
async fn approvers_answer_over_the_socket() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let mut session = house.session().await;
    let server = house.serve().await;
    let socket = house.folder.path().join("approvals.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let hold = held(&mut session, UPDATE).await;
    let Reply::List(list) = over_socket(house.folder.path(), Ask::List).await else { panic!("no list") };
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].id.as_str(), list[0].user.as_str()), (hold.id(), "etl-7"));
    assert!(!list[0].command.contains("secret"));
    let Reply::Held(detail) = over_socket(house.folder.path(), Ask::Show(hold.id().to_owned())).await else {
        panic!("nothing is shown")
    };
    assert_eq!(detail.statement, UPDATE);
    assert_eq!(detail.demands[0].group, "dba");
    let hold_id = hold.id().to_owned();
    let reply = over_socket(house.folder.path(), Ask::Approve(hold.id().to_owned())).await;
    assert_eq!(reply, Reply::Answered(Answered::Released));
    assert!(hold.await.is_ok());
    assert_eq!(over_socket(house.folder.path(), Ask::Grants).await, Reply::Grants(Vec::new()));
    let no_grant = over_socket(house.folder.path(), Ask::Revoke(hold_id.clone())).await;
    assert!(matches!(no_grant, Reply::Refused(_)), "consent was for once: {no_grant:?}");
    let unknown = over_socket(house.folder.path(), Ask::Deny("nothing".to_owned())).await;
    assert!(matches!(unknown, Reply::Refused(_)), "{unknown:?}");
    assert!(house.records().await.iter().any(|record| record["by"] == "ada"));
    server.abort();
}

/// What gateways log, at the finest level, holds no value and no secret; whichever tests have run until now.
#[tokio::test]
async fn logs_hold_no_value() {
    let house = House::new();
    let mut session = house.session().await;
    denied(&mut session, "SELECT 'secret' FROM public.customers").await;
    drop(held(&mut session, UPDATE).await);
    let text = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("etl-7") && text.contains("orders-db") && text.contains("block"), "{text}");
    assert!(!text.contains("secret") && !text.contains("opensesame"), "{text}");
}

/// All that is logged in this process.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    hoop_runtime::logging::subscriber(move || writer.clone(), false, "trace".into()).init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
