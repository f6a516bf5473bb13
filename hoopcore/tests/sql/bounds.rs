//! No text overflows a stack of 2 MiB or takes more than linear time.

use std::thread;
use std::time::Duration;

use hoopcore::Command;
use rustix::time::{ClockId, clock_gettime};

/// How long a thread with a stack of 2 MiB computes for a text, whatever else the machine does. An overflow would end
/// the process.
fn analyse(text: String) -> Duration {
    let worker = thread::Builder::new().stack_size(2 << 20).spawn(move || {
        drop(Command::sql(&text));
        // The thread's clock starts with it.
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).expect("nanoseconds"))
    });
    worker.expect("a thread").join().expect("the analysis ends")
}

/// A text of a given size.
type Shape = fn(usize) -> String;

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn deep_and_long_texts() {
    let shapes: &[(&str, Shape)] = &[
        ("and", |n| format!("SELECT 1 WHERE a=1{}", " AND a=1".repeat(n))),
        ("or", |n| format!("SELECT 1 WHERE a=1{}", " OR a=1".repeat(n))),
        ("mixed", |n| format!("DELETE FROM t WHERE a=1{}", " AND a=1 OR b=2".repeat(n))),
        ("plus", |n| format!("SELECT 1{}", "+1".repeat(n))),
        ("power", |n| format!("SELECT 1{}", "^1".repeat(n))),
        ("concat", |n| format!("SELECT 'a'{}", "||'a'".repeat(n))),
        ("minus", |n| format!("SELECT {}1", "- ".repeat(n))),
        ("not", |n| format!("SELECT {}true", "NOT ".repeat(n))),
        ("cast", |n| format!("SELECT 1{}", "::int".repeat(n))),
        ("is null", |n| format!("SELECT 1{}", " IS NULL".repeat(n))),
        ("isnull", |n| format!("SELECT 1{}", " ISNULL".repeat(n))),
        ("collate", |n| format!("SELECT 'a'{}", " COLLATE \"C\"".repeat(n))),
        ("at time zone", |n| format!("SELECT now(){}", " AT TIME ZONE 'utc'".repeat(n))),
        ("subscripts", |n| format!("SELECT a{}", "[1]".repeat(n))),
        ("fields", |n| format!("SELECT (a){}", ".b".repeat(n))),
        ("path", |n| format!("SELECT a{}", ".b".repeat(n))),
        ("arrows", |n| format!("SELECT a{}", "->'b'".repeat(n))),
        ("in lists", |n| format!("SELECT 1 WHERE a IN (1{})", ",1".repeat(n))),
        ("columns", |n| format!("SELECT a{} FROM t", ",a".repeat(n))),
        ("values", |n| format!("INSERT INTO t VALUES (1){}", ",(1)".repeat(n))),
        ("relations", |n| format!("SELECT 1 FROM t{}", ",t".repeat(n))),
        ("joins", |n| format!("SELECT 1 FROM t{}", " JOIN t ON true".repeat(n))),
        ("joins without on", |n| format!("SELECT 1 FROM t{}", " JOIN t".repeat(n))),
        ("cross joins", |n| format!("SELECT 1 FROM t{}", " CROSS JOIN t".repeat(n))),
        ("union all", |n| format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(n))),
        ("union of lists", |n| format!("SELECT 1,2{}", " UNION ALL SELECT 1,2".repeat(n))),
        ("except", |n| format!("SELECT 1{}", " EXCEPT SELECT 1".repeat(n))),
        ("ctes", |n| format!("WITH a AS (SELECT 1){} SELECT 1", ", a AS (SELECT 1)".repeat(n))),
        ("when", |n| format!("SELECT CASE{} END", " WHEN a THEN 1".repeat(n))),
        ("case", |n| nested("CASE WHEN ", "1", " THEN 1 END", n)),
        ("case in select", |n| format!("SELECT {}", nested("CASE WHEN ", "1", " THEN 1 END", n))),
        ("parentheses", |n| format!("SELECT {}", nested("(", "1", ")", n))),
        ("open parentheses", |n| format!("SELECT {}", "(".repeat(n))),
        ("query parentheses", |n| nested("(", "SELECT 1", ")", n)),
        ("from parentheses", |n| format!("SELECT 1 FROM {}", nested("(", "a JOIN b ON true", ")", n))),
        ("sub-selects", |n| format!("SELECT {}", nested("(SELECT ", "1", ")", n))),
        ("derived", |n| format!("SELECT 1 FROM {}", nested("(SELECT 1 FROM ", "a", ") b", n))),
        ("exists", |n| format!("SELECT 1 WHERE {}", nested("EXISTS (SELECT 1 WHERE ", "true", ")", n))),
        ("functions", |n| format!("SELECT {}", nested("f(", "1", ")", n))),
        ("casts", |n| format!("SELECT {}", nested("CAST(", "1", " AS int)", n))),
        ("arrays", |n| format!("SELECT {}", nested("ARRAY[", "1", "]", n))),
        ("rows", |n| format!("SELECT {}", nested("ROW(", "1", ")", n))),
        ("interval", |n| format!("SELECT {}", nested("INTERVAL (", "1", ")", n))),
        ("comments", |n| format!("SELECT {} 1", nested("/*", "", "*/", n))),
        ("open comments", |n| format!("SELECT {} 1", "/*".repeat(n))),
        ("quotes", |n| format!("SELECT {}", "'".repeat(n))),
        ("double quotes", |n| format!("SELECT {}", "\"".repeat(n))),
        ("dollars", |n| format!("SELECT {}", "$".repeat(n))),
        ("dollar tags", |n| format!("SELECT {}", "$a".repeat(n))),
        ("literals", |n| format!("SELECT {}", "'a'\n".repeat(n))),
        ("long literal", |n| format!("SELECT '{}'", "x".repeat(n * 10))),
        ("semicolons", |n| ";".repeat(n)),
        ("statements", |n| "SELECT 1;".repeat(n)),
        ("operators", |n| format!("SELECT 1 {} 1", "+-".repeat(n))),
        ("explain", |n| format!("{}SELECT 1", "EXPLAIN ".repeat(n))),
        ("prepare", |n| format!("{}SELECT 1", "PREPARE p AS ".repeat(n))),
        ("copy", |n| nested("COPY (", "SELECT 1", ") TO STDOUT", n)),
        ("create schema", |n| "CREATE SCHEMA a ".repeat(n)),
        ("begin atomic", |n| "CREATE FUNCTION f() BEGIN ATOMIC; ".repeat(n)),
        ("with", |n| format!("{}SELECT 1", "WITH a AS (".repeat(n))),
        ("rows from", |n| format!("SELECT * FROM {}", nested("ROWS FROM (", "f()", ")", n))),
        ("lateral", |n| format!("SELECT 1 FROM {} t", "LATERAL ".repeat(n))),
    ];
    for (shape, text) in shapes {
        for size in [1, 10, 20, 30, 40, 100, 1_000, 2_000, 4_000, 20_000] {
            let time = analyse(text(size));
            assert!(time < Duration::from_secs(60), "{shape} of {size} took {time:?}");
        }
    }
}
