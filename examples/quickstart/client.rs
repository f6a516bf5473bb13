//! Who asks: `psql`, or where the machine has none, a client of our own that shows the same.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use tokio_postgres::{AsyncMessage, Config, NoTls, SimpleQueryMessage};

use crate::gateway::Gateway;

/// The program that asks.
pub(crate) enum Client {
    /// The machine's own.
    Psql(PathBuf),
    /// This program, over the gateway's Unix socket.
    #[cfg_attr(not(feature = "embedded"), allow(dead_code, reason = "the server inside is asked by it alone"))]
    Own,
}

/// A statement under way.
pub(crate) enum Asked {
    Psql(Child),
    Own(JoinHandle<String>),
}

impl Client {
    /// Asks one statement as Ann, through the gateway.
    pub(crate) fn ask(&self, gateway: &Gateway, sql: &str) -> io::Result<Asked> {
        match self {
            Self::Psql(psql) => through_psql(gateway, psql, sql).map(Asked::Psql),
            Self::Own => {
                let (config, sql) = (gateway.socket(), sql.to_owned());
                Ok(Asked::Own(thread::spawn(move || talk(&config, &sql).unwrap_or_else(|error| error.to_string()))))
            }
        }
    }
}

impl Asked {
    /// What was answered, in the words of `psql`.
    pub(crate) fn words(self) -> Result<String, Box<dyn Error>> {
        match self {
            Self::Psql(child) => {
                let output = child.wait_with_output()?;
                let (errors, rows) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
                Ok(format!("{errors}{rows}"))
            }
            Self::Own(thread) => thread.join().map_err(|_| "the client broke off".into()),
        }
    }
}

fn through_psql(gateway: &Gateway, psql: &Path, sql: &str) -> io::Result<Child> {
    Command::new(psql)
        .args(["-X", "-P", "pager=off", "-c", sql, &gateway.dsn()])
        .env("PGPASSWORD", &gateway.password)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Runs statements over a connection of their own, which ends with them.
pub(crate) fn talk(config: &Config, sql: &str) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, mut connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(async move {
            let mut notices = String::new();
            while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let Ok(AsyncMessage::Notice(notice)) = message {
                    notices.push_str(&format!("{}:  {}\n", notice.severity(), notice.message()));
                }
            }
            notices
        });
        let answered = client.simple_query(sql).await;
        drop(client);
        let notices = connection.await?;
        Ok(match answered {
            Ok(messages) => format!("{notices}{}", shown(sql, &messages)),
            Err(error) => format!("{notices}{}", refused(&error)),
        })
    })
}

fn refused(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else { return format!("ERROR:  {error}\n") };
    let line = |label: &str, text: Option<&str>| text.map(|text| format!("{label}:  {text}\n")).unwrap_or_default();
    let (detail, hint) = (line("DETAIL", error.detail()), line("HINT", error.hint()));
    format!("{}:  {}\n{detail}{hint}", error.severity(), error.message())
}

fn shown(sql: &str, messages: &[SimpleQueryMessage]) -> String {
    let (mut table, mut said) = (Vec::new(), String::new());
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                table.push(columns.iter().map(|column| column.name().to_owned()).collect());
            }
            SimpleQueryMessage::Row(row) => {
                table.push((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect());
            }
            SimpleQueryMessage::CommandComplete(_) if !table.is_empty() => said.push_str(&drawn(&table)),
            SimpleQueryMessage::CommandComplete(rows) => {
                let verb = sql.split_whitespace().next().unwrap_or_default();
                said.push_str(&format!("{verb} {rows}\n"));
            }
            _ => {}
        }
    }
    said
}

/// A table, its titles first.
fn drawn(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |at: usize| table.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} ")).collect();
        format!("{}\n", cells.join("|").trim_end())
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let rows = table.len().saturating_sub(1);
    let mut drawn: String = table.iter().take(1).map(line).collect();
    drawn.push_str(&format!("{}\n", rule.join("+")));
    drawn.extend(table.iter().skip(1).map(line));
    drawn.push_str(&format!("({rows} row{})\n", if rows == 1 { "" } else { "s" }));
    drawn
}
