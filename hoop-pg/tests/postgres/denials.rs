//! Refused statements in each state of a transaction and in both protocols, and what comes after them.

use crate::script::{Case, cases, report};
use crate::setting::{Gateway, shop};
use crate::wire::{Wire, cancel};

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: developers-work
    who: { group: developers }
    on: target
    allow: { sql: { read: "*", insert: [public.orders, public.notes], update: public.orders, delete: public.orders } }
  - rule: no-drop
    who: anyone
    on: target
    block: { sql: [drop, truncate] }
    reason: tables are dropped by migrations
  - rule: no-unbounded-writes
    who: anyone
    on: target
    block: { sql: [update, delete] }
    when: { unbounded: true }
    reason: an UPDATE or DELETE without a real WHERE touches every row
"#;

#[test]
fn cases_of_refused_statements() {
    let gateway = Gateway::start(&shop(), POLICY);
    let judge = |case: &Case| case.judge(&case.run(&mut gateway.connect("ann")));
    report(&cases("denials.txt").iter().filter_map(judge).collect::<Vec<_>>());
}

#[test]
fn who_may_reach_nothing_does_not_come_in() {
    let gateway = Gateway::start(&shop(), POLICY.replace("group: developers", "group: nobody").as_str());
    let refused = Wire::connect(&gateway.address("ann")).err().expect("nobody is let in");
    assert!(refused.field('C').starts_with("28"), "{refused:?}");
}

#[test]
fn a_wrong_password_and_an_unknown_name_read_the_same() {
    let gateway = Gateway::start(&shop(), POLICY);
    let mut wrong = gateway.address("ann");
    wrong.password = "wrong".into();
    let mut unknown = gateway.address("nobody");
    unknown.password = "wrong".into();
    let refused = [wrong, unknown].map(|address| Wire::connect(&address).err().expect("nobody is let in"));
    assert_eq!(refused[0].field('C'), "28P01");
    assert_eq!(refused[0].field('M').replace("ann", "NAME"), refused[1].field('M').replace("nobody", "NAME"));
}

/// A running statement is cancelled with the gateway's own key; a key that it did not give cancels nothing.
#[test]
fn cancel_reaches_the_server() {
    let gateway = Gateway::start(&shop(), &POLICY.replace("read: \"*\"", "read: \"*\", call: \"*\""));
    let mut client = gateway.connect("ann");
    let key = client.key.clone();
    let address = gateway.address("ann");
    let canceller = std::thread::spawn(move || {
        let mut forged = key.clone();
        *forged.last_mut().unwrap() ^= 1;
        cancel(&address, &forged);
        let mut watcher = Wire::connect(&address).unwrap();
        while watcher.rows("select 1 from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()").is_empty() {
            std::thread::yield_now();
        }
        cancel(&address, &key);
    });
    let messages = client.query("select pg_sleep(60)");
    canceller.join().unwrap();
    assert!(messages.iter().any(|message| message.tag == b'E' && message.field('C') == "57014"), "{messages:?}");
    assert_eq!(client.rows("select 'alive'"), ["D alive"]);
}
