//! The tour: what a caller sees, step by step.

use std::error::Error;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Asked, Client};
use crate::gateway::Gateway;
use crate::terminal::{answer, command, title};

/// How long the tour waits for a held statement to show up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shows everything; an error where something did not happen as it should.
pub(crate) fn run(gateway: &Gateway, client: &Client) -> Result<(), Box<dyn Error>> {
    title("Ann, a developer, reads customers: addresses and numbers are masked on the way back");
    query(gateway, client, "SELECT * FROM shop.customers", "****")?;
    title("Other names for a column change nothing");
    query(
        gateway,
        client,
        "SELECT c.name AS n, c.email AS harmless FROM (SELECT * FROM shop.customers) c WHERE id = 1",
        "****",
    )?;
    title("What the policy blocks is refused with rule and line; the database never sees it");
    query(gateway, client, "DROP TABLE shop.orders", "migrations-drop-tables")?;
    query(gateway, client, "DELETE FROM shop.orders", "no-unbounded-writes")?;
    title("An UPDATE waits until a person agrees, here: you, as `boss` of the group dba");
    approval(gateway, client)?;
    title("Every decision was recorded before it acted");
    records(gateway)
}

fn query(gateway: &Gateway, client: &Client, sql: &str, must_say: &str) -> Result<(), Box<dyn Error>> {
    command(&format!("psql -c \"{sql}\""));
    finish(client.ask(gateway, sql)?, must_say)
}

fn finish(asked: Asked, must_say: &str) -> Result<(), Box<dyn Error>> {
    let said = asked.words()?;
    answer(&said);
    if said.contains(must_say) { Ok(()) } else { Err(format!("the tour expected to read `{must_say}` here").into()) }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

fn approval(gateway: &Gateway, client: &Client) -> Result<(), Box<dyn Error>> {
    let sql = "UPDATE shop.orders SET status = 'paid' WHERE id = 11";
    command(&format!("psql -c \"{sql}\""));
    let held = client.ask(gateway, sql)?;
    let id = wait_for_id(gateway)?;
    println!("  … it waits");
    hoop(gateway, &["approvals", "list"])?;
    hoop(gateway, &["approvals", "approve", &id])?;
    println!("  … and Ann's psql goes on:");
    finish(held, "UPDATE 1")
}

fn wait_for_id(gateway: &Gateway) -> Result<String, Box<dyn Error>> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let list = gateway.hoop(&["approvals", "list", "--format", "json"])?.output()?;
        if let Some(id) = first_id(&String::from_utf8_lossy(&list.stdout)) {
            return Ok(id);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("the statement is not held".into())
}

/// The value of the first `"id"` in a JSON text.
fn first_id(json: &str) -> Option<String> {
    let (_, rest) = json.split_once("\"id\":\"")?;
    rest.split('"').next().map(str::to_owned)
}

fn hoop(gateway: &Gateway, words_of_it: &[&str]) -> Result<(), Box<dyn Error>> {
    command(&format!("hoop {}", words_of_it.join(" ")));
    let output = gateway.hoop(words_of_it)?.output()?;
    answer(&words(&output));
    if output.status.success() { Ok(()) } else { Err("hoop refused".into()) }
}

/// The records, once the last statement's end is among them: it is written soon after the client has its answer.
fn records(gateway: &Gateway) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let ended = |said: &str| said.lines().last().is_some_and(|line| line.contains(" done "));
    while !ended(&words(&gateway.hoop(&["audit", "show"])?.output()?)) && begin.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
    }
    hoop(gateway, &["audit", "show"])
}

/// Says how to go on by hand.
pub(crate) fn go_on(gateway: &Gateway, client: &Client) {
    title("Now by hand");
    if matches!(client, Client::Own) {
        println!("  there is no psql on this machine; with it (apt-get install postgresql-client) you could go on:");
    }
    command(&format!("PGPASSWORD={} psql \"{}\"", gateway.password, gateway.dsn()));
    command(&format!("hoop approvals list --config {}", gateway.file("gateway.yaml").display()));
    println!("  the policy: {}", gateway.file("policy.yaml").display());
    println!("\nEnter ends everything.");
}
