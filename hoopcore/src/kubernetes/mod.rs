//! From a request to a Kubernetes API server to its effects: a verb on a resource or on a path.
//!
//! What a request does is read as the API server's own authorization reads it (`RequestInfo`), but for `exec`, `attach`,
//! `portforward` and `proxy`, which are verbs of their own whatever the method: a WebSocket begins with a GET. Where the
//! server is more lenient than it is clear (escapes, empty segments, upper case), the request is `unknown`, and so is one
//! that speaks for somebody else (`Impersonate-…`).
//!
//! ```
//! use hoopcore::Command;
//! use hoopcore::command::Message;
//!
//! let command = Command::kubernetes(&Message::new("GET", "/apis/apps/v1/namespaces/shop/deployments?watch=1"));
//! let [effect] = command.effects()[..] else { panic!("one effect") };
//! assert_eq!((effect.verb(), effect.to_string().as_str()), ("watch", "shop/deployments.apps"));
//! ```

mod request_info;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::command::kubernetes::{Effect, Object, Resource, Verb};
use crate::command::opaque::is_opaque;
use crate::command::{Command, Coverage, Effects, Message, Run};
use crate::http::{Target, Unread, media, says_nothing_else};

/// The command that a request is.
pub(crate) fn analyse(message: &Message<'_>) -> Command {
    let text = message.text();
    match read(message) {
        Ok(effects) => {
            let words: Vec<String> = effects.iter().map(|effect| format!("{} {effect}", effect.verb.word())).collect();
            Command::of(&text, words.join("; ").into(), Effects::Kubernetes(effects.into()), Coverage::Full)
        }
        Err(why) => {
            let effects = Effects::Kubernetes(Box::new([Effect::unknown()]));
            Command::of(&text, "unknown".into(), effects, Coverage::Partial(why.into()))
        }
    }
}

fn read(message: &Message<'_>) -> Result<Vec<Effect>, Unread> {
    says_nothing_else(message)?;
    let begins = |name: &str, with: &str| name.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if message.headers.iter().any(|(name, _)| begins(name, "impersonate-")) {
        return Err("it speaks for somebody else: `impersonate-` header fields are not for callers");
    }
    let target = Target::read(message.target)?;
    if target.path.contains('%') {
        return Err("paths of Kubernetes have no escapes");
    }
    let (verb, object) = request_info::resolve(message.method, &target)?;
    let resource = match object {
        Object::Resource(resource) => resource,
        other @ (Object::Url(_) | Object::Any) => {
            no_upgrade(message)?;
            return Ok(vec![Effect { verb, object: other, command: None }]);
        }
    };
    let verb = own_verb(verb, &resource, message.method)?;
    match verb {
        Verb::Exec => Ok(vec![exec(resource, &target)?]),
        Verb::Attach | Verb::PortForward | Verb::Proxy => Ok(vec![Effect::on(verb, resource)]),
        Verb::Patch => {
            no_upgrade(message)?;
            let creates = media(message)?.is_some_and(|media| media.contains("apply-patch"));
            let create = creates.then(|| Effect::on(Verb::Create, resource.clone()));
            Ok([Effect::on(verb, resource)].into_iter().chain(create).collect())
        }
        Verb::Get
        | Verb::List
        | Verb::Watch
        | Verb::Create
        | Verb::Update
        | Verb::Delete
        | Verb::DeleteCollection
        | Verb::Head
        | Verb::Options
        | Verb::Post
        | Verb::Put
        | Verb::Unknown => {
            no_upgrade(message)?;
            Ok(vec![Effect::on(verb, resource)])
        }
    }
}

fn no_upgrade(message: &Message<'_>) -> Result<(), Unread> {
    match message.all("upgrade").next() {
        None => Ok(()),
        Some(_) => Err("it turns the connection into something that hoop does not read"),
    }
}

/// The verb of what opens a channel into the cluster, else the one that the server's authorization sees.
fn own_verb(verb: Verb, resource: &Resource, method: &str) -> Result<Verb, Unread> {
    let channel = match resource.subresource.as_deref() {
        Some("exec") => Verb::Exec,
        Some("attach") => Verb::Attach,
        Some("portforward") => Verb::PortForward,
        Some("proxy") => return Ok(Verb::Proxy),
        Some(_) | None => return Ok(verb),
    };
    match method {
        "GET" | "POST" => Ok(channel),
        _ => Err("a channel into a pod is opened by GET or POST"),
    }
}

/// `exec` with what it runs.
fn exec(resource: Resource, target: &Target) -> Result<Effect, Unread> {
    let words = target.query.iter().filter(|(name, _)| name == "command");
    let argv: Box<[String]> = words.map(|(_, word)| word.to_string()).collect();
    if argv.is_empty() {
        return Err("`exec` without a command");
    }
    if argv.iter().any(|word| word.contains(|c: char| c.is_control())) {
        return Err("a control character in the command of `exec`");
    }
    let terminal = target.query.iter().filter(|(name, _)| name == "tty").any(|(_, value)| is_true(value));
    let opaque = is_opaque(&argv);
    Ok(Effect { command: Some(Run { argv, terminal, opaque }), ..Effect::on(Verb::Exec, resource) })
}

/// A flag as the API server reads it: everything but `false` and `0`, nothing too.
fn is_true(value: &str) -> bool {
    !value.eq_ignore_ascii_case("false") && value != "0"
}
