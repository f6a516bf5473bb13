//! Refuses a message by another one that must fail in its place.
//!
//! The server gets a message of the same kind that its parser, or its table of names, cannot take; the error that it
//! answers is rewritten into the refusal. So transactions, savepoints and pipelines stay PostgreSQL's own business, and
//! the refusal comes in its turn. Each message carries a name of its own that nobody can guess: nothing can have been
//! prepared under it, and the error is told by it from any other.

use bytes::BytesMut;
use hoopcore::Denial;
use hoopcore::limit::LimitKind;
use memchr::memmem;

use crate::charset::Charset;
use crate::message::{Report, frame};
use crate::refusal::{Refusal, code};

/// `undefined_function`: what the server answers to a call of a function that does not exist.
const NO_FUNCTION: &str = "42883";

/// The OID that no function has.
const NOBODY: i32 = 1;

/// A message that must fail, and what the client is told when it does.
#[derive(Clone, Debug)]
pub struct Poison {
    name: String,
    is_call: bool,
    /// Whatever error it raises is told as the refusal.
    is_stop: bool,
    told: Refusal,
}

impl Poison {
    /// A poison that nobody has seen before.
    #[must_use]
    pub fn new(told: Refusal) -> Self {
        Self { name: format!("hoop_deny_{:032x}", rand::random::<u128>()), is_call: false, is_stop: false, told }
    }

    /// A poison that ends what was carried out and must not stand. A cancel request that is still on its way may hit it.
    #[must_use]
    pub fn stop(told: Refusal) -> Self {
        Self { is_stop: true, ..Self::new(told) }
    }

    /// A query (`Q`) that no parser takes.
    pub fn query(&self, out: &mut BytesMut) {
        frame(out, b'Q', |body| body.text(self.text().as_bytes()));
    }

    /// A statement (`P`) that no parser takes, under the name that the refused one asked for.
    pub fn parse(&self, name: &[u8], out: &mut BytesMut) {
        frame(out, b'P', |body| {
            body.text(name);
            body.text(self.text().as_bytes());
            body.i16(0);
        });
    }

    /// A Bind (`B`) of a statement that does not exist.
    pub fn bind(&self, out: &mut BytesMut) {
        frame(out, b'B', |body| {
            body.text(b"");
            body.text(self.name.as_bytes());
            (0..3).for_each(|_| body.i16(0));
        });
    }

    /// An Execute (`E`) of a portal that does not exist.
    pub fn execute(&self, out: &mut BytesMut) {
        frame(out, b'E', |body| {
            body.text(self.name.as_bytes());
            body.i32(0);
        });
    }

    /// A call (`F`) of a function that does not exist.
    #[must_use]
    pub fn call(self, out: &mut BytesMut) -> Self {
        frame(out, b'F', |body| {
            body.i32(NOBODY);
            (0..3).for_each(|_| body.i16(0));
        });
        Self { is_call: true, ..self }
    }

    /// A quoted identifier where a statement should begin.
    fn text(&self) -> String {
        format!("\"{}\"", self.name)
    }

    /// Whether this error is the one that the poison was there to raise.
    #[must_use]
    pub fn raised(&self, error: &Report<'_>) -> bool {
        let names_it = error.field(b'M').is_some_and(|text| memmem::find(text, self.name.as_bytes()).is_some());
        names_it || self.is_stop || (self.is_call && error.code() == Some(NO_FUNCTION))
    }

    /// What the client is told in place of the error.
    #[must_use]
    pub fn told(&self) -> &Refusal {
        &self.told
    }
}

/// A refusal by the policy, as the client sees it.
#[must_use]
pub fn refused(denial: &Denial) -> Refusal {
    let code = match denial.limit {
        Some(LimitKind::Rows | LimitKind::Bytes | LimitKind::PerMinute) => code::LIMIT,
        Some(LimitKind::Seconds) => code::CANCELED,
        None => code::PRIVILEGE,
    };
    let refusal = Refusal::new(code, format!("refused by rule `{}`: {}", denial.rule.name, denial.reason));
    match (&denial.rule.file, denial.rule.line) {
        (Some(file), Some(line)) => refusal.with_hint(format!("the rule stands in {file}:{line}")),
        (None, Some(line)) => refusal.with_hint(format!("the rule stands in line {line} of the policy")),
        (_, None) => refusal,
    }
}

/// Writes an error that ends the statement, not the session.
pub fn error(refusal: &Refusal, charset: Charset, out: &mut BytesMut) {
    report(b'E', "ERROR", refusal, charset, out);
}

/// Writes an error that ends the session.
pub fn fatal(refusal: &Refusal, charset: Charset, out: &mut BytesMut) {
    report(b'E', "FATAL", refusal, charset, out);
}

/// Writes a notice.
pub fn notice(told: &Refusal, charset: Charset, out: &mut BytesMut) {
    report(b'N', "NOTICE", told, charset, out);
}

fn report(tag: u8, severity: &str, told: &Refusal, charset: Charset, out: &mut BytesMut) {
    frame(out, tag, |body| {
        let Refusal { code, message, hint } = told;
        let fields = [(b'S', severity), (b'V', severity), (b'C', code.as_ref()), (b'M', message.as_ref())];
        let hint = hint.as_deref().map(|hint| (b'H', hint));
        for (kind, text) in fields.into_iter().chain(hint) {
            body.bytes(&[kind]);
            // A NUL would end the field, and what follows it would be read as another.
            body.text(&charset.encode_or_ask(&text.replace('\0', " ")));
        }
        body.bytes(&[0]);
    });
}

#[cfg(test)]
mod tests {
    use hoopcore::decision::RuleRef;

    use super::*;
    use crate::frame::HEADER;
    use crate::message::{Bind, Call, Execute, Parse, query};

    fn poison() -> Poison {
        Poison::new(Refusal::new(code::PRIVILEGE, "no"))
    }

    fn body(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out[HEADER..].to_vec()
    }

    fn report_of(text: &str) -> Vec<u8> {
        format!("SERROR\0C42601\0M{text}\0\0").into_bytes()
    }

    #[test]
    fn each_message_is_well_formed_and_names_what_cannot_exist() {
        let poison = poison();
        assert!(poison.name.len() <= crate::fifo::NAME_LENGTH);
        assert_eq!(query(&body(|out| poison.query(out))).unwrap(), poison.text().as_bytes());
        let parse = body(|out| poison.parse(b"s1", out));
        let parse = Parse::read(&parse).unwrap();
        assert_eq!((parse.name, parse.query), (&b"s1"[..], poison.text().as_bytes()));
        let bind = body(|out| poison.bind(out));
        assert_eq!(Bind::read(&bind).unwrap().statement, poison.name.as_bytes());
        let execute = body(|out| poison.execute(out));
        assert_eq!(Execute::read(&execute).unwrap().portal, poison.name.as_bytes());
        let call = body(|out| drop(poison.clone().call(out)));
        assert_eq!(Call::read(&call).unwrap().function, 1);
    }

    #[test]
    fn only_its_own_error_is_rewritten() {
        let (poison, other) = (poison(), poison());
        let own = report_of(&format!("syntax error at or near \"\"{}\"\"", poison.name));
        assert!(poison.raised(&Report::read(&own).unwrap()));
        assert!(!other.raised(&Report::read(&own).unwrap()));
        let unrelated = report_of("canceling statement due to user request");
        assert!(!poison.raised(&Report::read(&unrelated).unwrap()));
        let missing = b"SERROR\0C42883\0Mfunction with OID 1 does not exist\0\0";
        assert!(!poison.raised(&Report::read(missing).unwrap()));
        assert!(poison.call(&mut BytesMut::new()).raised(&Report::read(missing).unwrap()));
    }

    #[test]
    fn a_refusal_names_its_rule_and_where_it_stands() {
        let check = |file: Option<&str>, line, expected: &[u8]| {
            let rule = RuleRef { name: "no-drop".into(), file: file.map(Into::into), line };
            let told = refused(&Denial { rule, reason: "not\0here".into(), limit: None });
            assert_eq!(body(|out| error(&told, Charset::UTF8, out)), expected);
        };
        check(None, None, b"SERROR\0VERROR\0C42501\0Mrefused by rule `no-drop`: not here\0\0");
        check(
            Some("p.yaml"),
            Some(7),
            b"SERROR\0VERROR\0C42501\0Mrefused by rule `no-drop`: not here\0Hthe rule stands in p.yaml:7\0\0",
        );
        check(
            None,
            Some(7),
            b"SERROR\0VERROR\0C42501\0Mrefused by rule `no-drop`: not here\0Hthe rule stands in line 7 of the policy\0\0",
        );
    }
}
