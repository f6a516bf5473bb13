//! Peers that stop in the middle, or close one half: they hold nobody else, and nothing half-said passes for whole.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::big::{POLICY, peak};
use crate::cluster::Cluster;
use crate::direct::cluster;
use crate::setting::{Gateway, direct, shop};
use crate::wire::{Message, Wire, frame};

/// Where the way stops: everything up to these bytes passes, and nothing behind them before it is told to go on.
const MARK: &[u8] = b"<stop-here>";

/// What becomes of the ways that stand still.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Stopped,
    Open,
    Cut,
}

/// A way to the server that can stand still in the middle of a message.
struct Fault {
    port: u16,
    state: Arc<(Mutex<(Way, usize)>, Condvar)>,
}

impl Fault {
    fn open(to: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), to.port);
        let state = Arc::new((Mutex::new((Way::Stopped, 0)), Condvar::new()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, state) = (client.unwrap(), Arc::clone(&shared));
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (mut upward, mut upstream) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _gone = io::copy(&mut upward, &mut upstream);
                    let _gone = upstream.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || downward(server, client, &state));
            }
        });
        Self { port, state }
    }

    /// Waits until so many ways stand still.
    fn until_stopped(&self, ways: usize) {
        let (state, changed) = &*self.state;
        let waits = |state: &mut (Way, usize)| state.1 < ways;
        let waited = changed.wait_timeout_while(state.lock().unwrap(), Duration::from_secs(30), waits).unwrap();
        assert!(!waited.1.timed_out(), "no way stands still");
    }

    fn set(&self, way: Way) {
        self.state.0.lock().unwrap().0 = way;
        self.state.1.notify_all();
    }
}

/// Passes on what the server says, up to the mark; then as it is told.
fn downward(mut server: TcpStream, mut client: TcpStream, (state, changed): &(Mutex<(Way, usize)>, Condvar)) {
    let (mut buffer, mut tail) = ([0; 4096], Vec::new());
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if client.write_all(&buffer[..length]).is_err() {
            break;
        }
        tail.extend_from_slice(&buffer[..length]);
        if tail.windows(MARK.len()).any(|bytes| bytes == MARK) {
            let mut now = state.lock().unwrap();
            now.1 += 1;
            changed.notify_all();
            let told = changed.wait_while(now, |state| state.0 == Way::Stopped).unwrap().0;
            if told == Way::Cut {
                break;
            }
            tail.clear();
        }
        let keep = tail.len().saturating_sub(MARK.len());
        tail.drain(..keep);
    }
    let _gone = client.shutdown(Shutdown::Both);
    let _gone = server.shutdown(Shutdown::Both);
}

const LONG_ROW: &str = "select repeat('a', 200000) || '<stop' || '-here>' || repeat('b', 200000)";

fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| char::from(message.tag)).collect()
}

#[test]
fn a_server_that_stops_within_a_row_holds_nobody_else() {
    let fault = Fault::open(cluster());
    let gateway = Gateway::start_before(fault.port, &shop(), POLICY);
    let mut stalled: Vec<Wire> = (0..8).map(|_| gateway.connect("ann")).collect();
    let before = peak(gateway.process());
    for client in &mut stalled {
        client.send(&frame(b'Q', &[LONG_ROW.as_bytes(), b"\0"].concat()));
    }
    fault.until_stopped(8);
    let mut other = gateway.connect("ann");
    for _ in 0..50 {
        assert_eq!(other.rows("select count(*) from customers"), ["D 3"]);
    }
    let grown = peak(gateway.process()) - before;
    assert!(grown < 16 * 1024, "rows that do not end took {grown} KiB");
    fault.set(Way::Open);
    for client in &mut stalled {
        let messages = client.until(b"Z");
        assert_eq!(tags(&messages), "TDCZ");
        assert_eq!(messages[1].body.len(), 2 + 4 + 400_000 + MARK.len());
    }
}

#[test]
fn a_row_that_is_cut_off_is_no_answer() {
    let fault = Fault::open(cluster());
    let gateway = Gateway::start_before(fault.port, &shop(), POLICY);
    // What passes in pieces is cut off with the connection; what waits to be masked is told of.
    for (sql, masked) in [
        (LONG_ROW, false),
        ("select ssn, repeat('a', 90000) || '<stop' || '-here>' || repeat('b', 90000) from customers", true),
    ] {
        fault.set(Way::Stopped);
        let stopped = fault.state.0.lock().unwrap().1;
        let mut client = gateway.connect("ann");
        client.send(&frame(b'Q', &[sql.as_bytes(), b"\0"].concat()));
        fault.until_stopped(stopped + 1);
        fault.set(Way::Cut);
        let mut bytes = Vec::new();
        client.read_all(&mut bytes);
        let whole = |tag: u8| [&[tag][..], &[0, 0, 0]].concat();
        for ends in [b'C', b'Z'] {
            assert!(!bytes.windows(4).any(|window| window == whole(ends)), "an answer that was cut off ends well");
        }
        let told = bytes.windows(5).any(|window| window == b"08006");
        assert_eq!(told, masked, "{sql}");
    }
    fault.set(Way::Open);
    assert_eq!(gateway.connect("ann").rows("select 1"), ["D 1"]);
}

#[test]
fn a_client_that_says_a_byte_at_a_time_is_served_like_others() {
    let gateway = Gateway::start(&shop(), POLICY);
    let query = frame(b'Q', &[&b"select id /* "[..], &[b'x'; 600], b" */ from customers order by id\0"].concat());
    let (mut slow, mut other) = (gateway.connect("ann"), gateway.connect("ann"));
    for (at, byte) in query.iter().enumerate() {
        slow.send(&[*byte]);
        if at % 40 == 0 {
            assert_eq!(other.rows("select count(*) from customers"), ["D 3"]);
        }
    }
    assert_eq!(tags(&slow.until(b"Z")), "TDDDCZ");
}

#[test]
fn a_client_that_closes_its_half_gets_all_of_its_answers() {
    let gateway = Gateway::start(&shop(), POLICY);
    let mut client = gateway.connect("ann");
    let query = frame(b'Q', b"select repeat('x', 1000) from generate_series(1, 5000)\0");
    client.send(&[query.clone(), query].concat());
    let messages = client.leave();
    assert_eq!(messages.iter().filter(|message| message.tag == b'D').count(), 10_000);
    assert_eq!(messages.iter().filter(|message| message.tag == b'Z').count(), 2);
}

/// Idle sessions end at once, the others with what they are about; nobody new comes in; the process ends well.
#[test]
fn a_signal_ends_the_gateway_as_promised() {
    let database = shop();
    let mut gateway = Gateway::start(&database, POLICY);
    let (mut idle, mut busy, mut open) = (gateway.connect("ann"), gateway.connect("ann"), gateway.connect("ann"));
    open.query("begin; update notes set body = body");
    busy.send(&frame(b'Q', b"select pg_sleep(1.5), 'done'\0"));
    let mut around = Wire::connect(&direct(&database)).unwrap();
    let asks = format!(
        "select count(*) from pg_stat_activity where datname = '{database}' and query like 'select pg_sleep%' and state = 'active'"
    );
    let begin = Instant::now();
    while around.rows(&asks) != ["D 1"] {
        assert!(begin.elapsed() < Duration::from_secs(20), "nothing runs");
    }
    gateway.terminate();
    let last = idle.until(b"");
    assert_eq!((tags(&last).as_str(), last[0].field('C').as_str()), ("E", "57P01"));
    let begin = Instant::now();
    while TcpStream::connect(gateway.address("ann").socket).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(20), "somebody is let in still");
    }
    assert_eq!(tags(&busy.until(b"")), "TDCZE");
    assert_eq!(tags(&open.query("select count(*) from customers")), "TDCZ");
    open.send(&frame(b'Q', b"commit\0"));
    assert_eq!(tags(&open.until(b"")), "CZE");
    assert!(gateway.ends_well(), "{}", gateway.log());
}
