//! Rows of tables as they stand in databases: customers, rows without anything personal, prose, small cells.

use hoopcore::ColumnName;
use hoopcore::mask::{CellFormat, CellType, Column, Layout, Origin};

use crate::random::Random;

/// A table's rows, cell after cell in one buffer, as they come from a connection.
#[derive(Debug)]
pub struct Table {
    /// What the bench calls it.
    pub name: &'static str,
    /// Its columns.
    pub layout: Layout,
    bytes: Vec<u8>,
    /// Where each cell ends.
    ends: Vec<usize>,
}

impl Table {
    fn new(name: &'static str, columns: &[(&str, CellType)]) -> Self {
        let column = |(column, kind): &(&str, CellType)| Column {
            name: (*column).to_owned(),
            origin: Origin::Columns(vec![ColumnName::new("public", name, *column)]),
            kind: *kind,
            format: CellFormat::Text,
        };
        Self { name, layout: Layout { columns: columns.iter().map(column).collect() }, bytes: vec![], ends: vec![] }
    }

    fn push(&mut self, cell: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(cell.as_ref());
        self.ends.push(self.bytes.len());
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ends.len() / self.layout.columns.len().max(1)
    }

    /// How many bytes all cells have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each cell with the place of its column, row after row.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let cells = starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default());
        (0..self.layout.columns.len()).cycle().zip(cells)
    }
}

/// Eleven columns, five of them personal, and a note that mentions something personal in one of twenty rows.
#[must_use]
pub fn customers(rows: usize) -> Table {
    let (text, scalar) = (CellType::Text, CellType::Scalar);
    let columns = [
        ("id", scalar),
        ("first_name", text),
        ("last_name", text),
        ("email", text),
        ("phone", text),
        ("card", text),
        ("iban", text),
        ("city", text),
        ("created", scalar),
        ("balance", scalar),
        ("note", text),
    ];
    let mut table = Table::new("customers", &columns);
    let mut random = Random::new(1);
    for id in 0..rows {
        table.push(id.to_string());
        table.push(name(&mut random));
        table.push(name(&mut random));
        table.push(email(&mut random));
        table.push(format!("+49 {} {}", random.digits(3), random.digits(7)));
        table.push(card(&mut random));
        table.push(format!("DE{}", random.digits(20)));
        table.push(name(&mut random));
        table.push(time(&mut random));
        table.push(format!("{}.{}", random.below(100_000), random.digits(2)));
        let mut note = sentence(&mut random, 12);
        if random.in_percent(5) {
            note += &if random.in_percent(50) { email(&mut random) } else { card(&mut random) };
        }
        table.push(note);
    }
    table
}

/// Nothing personal, and many digits: identifiers, times, prices, product codes, versions, in columns of text.
#[must_use]
pub fn clean(rows: usize) -> Table {
    let columns = ["uuid", "at", "price", "sku", "version", "hash", "status"].map(|column| (column, CellType::Text));
    let mut table = Table::new("clean", &columns);
    let mut random = Random::new(2);
    for _ in 0..rows {
        let uuid = format!("{:016x}{:016x}", random.number(), random.number());
        let parts: Vec<&str> =
            [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().filter_map(|part| uuid.get(part)).collect();
        table.push(parts.join("-"));
        table.push(time(&mut random));
        table.push(format!("{}.{} EUR", random.below(10_000), random.digits(2)));
        table.push(format!("SKU-{}-{}", random.digits(4), random.digits(6)));
        table.push(format!("v{}.{}.{}", random.below(9), random.below(40), random.below(200)));
        table.push(format!("{:016x}{:016x}", random.number(), random.number()));
        table.push(if random.in_percent(80) { "delivered" } else { "pending" });
    }
    table
}

/// Long texts in plain English.
#[must_use]
pub fn prose(rows: usize) -> Table {
    let mut table = Table::new("prose", &[("body", CellType::Text)]);
    let mut random = Random::new(3);
    for _ in 0..rows {
        let text: Vec<String> = (0..30).map(|_| sentence(&mut random, 14)).collect();
        table.push(text.join(" "));
    }
    table
}

/// Many columns of a few characters each.
#[must_use]
pub fn small(rows: usize) -> Table {
    let columns: Vec<String> = (0..60).map(|column| format!("c{column}")).collect();
    let columns: Vec<(&str, CellType)> = columns.iter().map(|column| (column.as_str(), CellType::Text)).collect();
    let mut table = Table::new("small", &columns);
    let mut random = Random::new(4);
    for _ in 0..rows {
        for column in 0..columns.len() {
            match column % 3 {
                0 => table.push(random.digits(6)),
                1 => table.push(random.digits(13)),
                _ => table.push(name(&mut random)),
            }
        }
    }
    table
}

fn name(random: &mut Random) -> String {
    let syllables = ["ber", "lin", "ka", "mar", "os", "tor", "ven", "wil", "xa", "yu", "li", "an", "na", "jo"];
    let text: String = (0..3).filter_map(|_| random.one_of(&syllables)).collect();
    text.get(..1).map(str::to_uppercase).unwrap_or_default() + text.get(1..).unwrap_or_default()
}

fn email(random: &mut Random) -> String {
    format!("{}.{}@{}.example", name(random).to_lowercase(), name(random).to_lowercase(), name(random).to_lowercase())
}

fn time(random: &mut Random) -> String {
    let [month, day, hour] = [12, 28, 24].map(|bound| random.below(bound));
    format!("2026-{:02}-{:02} {hour:02}:{}:{}.{}", month + 1, day + 1, 10 + month, 11 + day, random.digits(6))
}

/// Sixteen digits that a Visa card could have.
fn card(random: &mut Random) -> String {
    let digits = format!("4{}", random.digits(14));
    let doubled = |(place, digit): (usize, u8)| {
        let value = u32::from(digit - b'0');
        if place % 2 == 0 { value * 2 / 10 + value * 2 % 10 } else { value }
    };
    let sum: u32 = digits.bytes().enumerate().map(doubled).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn sentence(random: &mut Random, words: usize) -> String {
    let vocabulary = [
        "the",
        "order",
        "was",
        "sent",
        "to",
        "a",
        "warehouse",
        "near",
        "and",
        "returned",
        "after",
        "careful",
        "checks",
        "because",
        "nobody",
        "answered",
        "at",
        "customer's",
        "door",
        "which",
        "is",
        "quite",
        "usual",
        "these",
        "days",
    ];
    let text: Vec<&str> = (0..words).filter_map(|_| random.one_of(&vocabulary)).collect();
    text.join(" ") + ". "
}
