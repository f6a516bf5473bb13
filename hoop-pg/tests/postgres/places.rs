//! Clients that come in numbers and do not say who they are: others come in all the same, and cancel.

use std::net::{Ipv4Addr, SocketAddr};

use hoop_runtime::config::ClientLimits;
use tokio::net::{TcpSocket, TcpStream};

use crate::cancels::{Client, POLICY, cancel};
use crate::gate::{Gate, password, says, startup};

const FULL: &str = "E 53300 too many clients are connected, or about to log in";

/// On its plain listeners.
async fn gate(limits: ClientLimits) -> Gate {
    Gate::open_with(POLICY, |config| {
        config.listeners[1].limits = limits;
        config.listeners[4].limits = limits;
    })
    .await
}

/// A connection from one address of this machine.
async fn from(host: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0))).unwrap();
    socket.connect(to).await.unwrap()
}

/// What a client with the right password is told.
async fn enters(mut stream: TcpStream) -> String {
    let bytes = [startup("user|ann|database|postgres"), password("ann's secret")].concat();
    says(&mut stream, &bytes).await
}

#[tokio::test]
async fn silent_clients_keep_no_other_address_out() {
    let gate = gate(ClientLimits { clients: 100, logins: 50, logins_per_address: 3 }).await;
    let to = gate.tcp(4);
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(from(1, to).await);
    }
    assert_eq!(enters(from(1, to).await).await, FULL);
    let told = enters(from(2, to).await).await;
    assert!(told.starts_with("RRS"), "{told}");
    // Who leaves makes room.
    drop(silent);
    loop {
        let told = enters(from(1, to).await).await;
        if told.starts_with("RRS") {
            break;
        }
        assert_eq!(told, FULL);
    }
}

#[tokio::test]
async fn where_everything_is_taken_a_statement_can_still_be_cancelled() {
    let gate = gate(ClientLimits { clients: 100, logins: 2, logins_per_address: 2 }).await;
    let mut client = Client::login(&gate, 0).await;
    client.begins("76.1").await;
    let to = gate.tcp(1);
    let _silent = (from(1, to).await, from(2, to).await);
    assert_eq!(enters(from(3, to).await).await, FULL);
    cancel(&gate, &client.key).await;
    client.is_cancelled().await;
}

#[tokio::test]
async fn who_is_known_takes_no_place_of_those_that_log_in() {
    let gate = gate(ClientLimits { clients: 3, logins: 1, logins_per_address: 1 }).await;
    let to = gate.tcp(4);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut session = from(1, to).await;
        let bytes = [startup("user|ann|database|postgres"), password("ann's secret")].concat();
        tokio::io::AsyncWriteExt::write_all(&mut session, &bytes).await.unwrap();
        // The second answer comes to a client that is known.
        let mut answers = [0; 18];
        tokio::io::AsyncReadExt::read_exact(&mut session, &mut answers).await.unwrap();
        sessions.push(session);
    }
    assert_eq!(enters(from(1, to).await).await, FULL);
}
