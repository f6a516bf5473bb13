//! The tour: what a caller sees, step by step.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::gateway::Gateway;
use crate::terminal::{answer, command, title};

/// How long the tour waits for a held statement to show up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shows everything; an error where something did not happen as it should.
pub(crate) fn run(gateway: &Gateway, psql: &Path) -> Result<(), Box<dyn Error>> {
    title("Ann, a developer, reads customers: addresses and numbers are masked on the way back");
    query(gateway, psql, "SELECT * FROM shop.customers", "****")?;
    title("Other names for a column change nothing");
    query(
        gateway,
        psql,
        "SELECT c.name AS n, c.email AS harmless FROM (SELECT * FROM shop.customers) c WHERE id = 1",
        "****",
    )?;
    title("What the policy blocks is refused with rule and line; the database never sees it");
    query(gateway, psql, "DROP TABLE shop.orders", "migrations-drop-tables")?;
    query(gateway, psql, "DELETE FROM shop.orders", "no-unbounded-writes")?;
    title("An UPDATE waits until a person agrees, here: you, as `boss` of the group dba");
    approval(gateway, psql)?;
    title("Every decision was recorded before it acted");
    records(gateway)
}

fn query(gateway: &Gateway, psql: &Path, sql: &str, must_say: &str) -> Result<(), Box<dyn Error>> {
    command(&format!("psql -c \"{sql}\""));
    finish(ask(gateway, psql, sql)?, must_say)
}

/// `psql` with one statement, through the gateway.
fn ask(gateway: &Gateway, psql: &Path, sql: &str) -> io::Result<Child> {
    Command::new(psql)
        .args(["-X", "-P", "pager=off", "-c", sql, &gateway.dsn()])
        .env("PGPASSWORD", &gateway.password)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn finish(child: Child, must_say: &str) -> Result<(), Box<dyn Error>> {
    let said = words(&child.wait_with_output()?);
    answer(&said);
    if said.contains(must_say) { Ok(()) } else { Err(format!("the tour expected to read `{must_say}` here").into()) }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

fn approval(gateway: &Gateway, psql: &Path) -> Result<(), Box<dyn Error>> {
    let sql = "UPDATE shop.orders SET status = 'paid' WHERE id = 11";
    command(&format!("psql -c \"{sql}\""));
    let held = ask(gateway, psql, sql)?;
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

fn records(gateway: &Gateway) -> Result<(), Box<dyn Error>> {
    hoop(gateway, &["audit", "show"])
}

/// Says how to go on by hand.
pub(crate) fn go_on(gateway: &Gateway) {
    title("Now by hand");
    command(&format!("PGPASSWORD={} psql \"{}\"", gateway.password, gateway.dsn()));
    command(&format!("hoop approvals list --config {}", gateway.file("gateway.yaml").display()));
    println!("  the policy: {}", gateway.file("policy.yaml").display());
    println!("\nEnter ends everything.");
}
