//! What the API server's authorization sees in a request: the rules of Kubernetes' `RequestInfo` resolver
//! (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`), on paths that can be read in one way alone.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::is_true;
use crate::command::kubernetes::{Object, Resource, Verb};
use crate::http::{Target, Unread};

/// The verb and the object of a request.
pub(super) fn resolve(method: &str, target: &Target) -> Result<(Verb, Object), Unread> {
    let path = target.path.as_str();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let after_version = match parts.as_slice() {
        ["api", _, rest @ ..] if !is_nothing(rest) => Some(("", rest)),
        ["apis", group, _, rest @ ..] if !is_nothing(rest) => Some((*group, rest)),
        [first, ..] if ["api", "apis"].iter().any(|api| first.eq_ignore_ascii_case(api) && first != api) => {
            return Err("`api` and `apis` are written in lower case");
        }
        _ => None,
    };
    match after_version {
        None => Ok((url_verb(method)?, Object::Url(path.into()))),
        Some((_, rest)) if rest.last() == Some(&"") => Err("a path of a resource does not end with a slash"),
        Some((group, rest)) => resource(method, group, rest, target, &parts),
    }
}

/// No segment, or the one after a slash at the end.
fn is_nothing(rest: &[&str]) -> bool {
    matches!(rest, [] | [""])
}

fn url_verb(method: &str) -> Result<Verb, Unread> {
    match method {
        "GET" => Ok(Verb::Get),
        "HEAD" => Ok(Verb::Head),
        "OPTIONS" => Ok(Verb::Options),
        "POST" => Ok(Verb::Post),
        "PUT" => Ok(Verb::Put),
        "PATCH" => Ok(Verb::Patch),
        "DELETE" => Ok(Verb::Delete),
        _ => Err("the method is not one that Kubernetes knows"),
    }
}

fn resource(method: &str, group: &str, rest: &[&str], target: &Target, all: &[&str]) -> Result<(Verb, Object), Unread> {
    let (special, rest) = match rest {
        ["watch" | "proxy"] => return Err("nothing is named after `watch` or `proxy`"),
        ["watch", rest @ ..] => (Some(Verb::Watch), rest),
        ["proxy", rest @ ..] => (Some(Verb::Proxy), rest),
        rest => (None, rest),
    };
    let verb = match (special, method) {
        (Some(verb), "GET" | "HEAD") => verb,
        (Some(Verb::Proxy), "POST" | "PUT" | "PATCH" | "DELETE") => Verb::Proxy,
        (None, "GET" | "HEAD") => Verb::Get,
        (None, "POST") => Verb::Create,
        (None, "PUT") => Verb::Update,
        (None, "PATCH") => Verb::Patch,
        (None, "DELETE") => Verb::Delete,
        _ => return Err("the method is not one that Kubernetes knows for a resource"),
    };
    let (namespace, rest) = namespaced(rest);
    let mut resource = object(group, namespace, rest, verb)?;
    let verb = collective(verb, &mut resource, target);
    is_lower_case(&resource, all)?;
    Ok((verb, Object::Resource(resource)))
}

/// The namespace, and what is named in it. `status` and `finalize` are parts of the namespace itself.
fn namespaced<'r, 'p>(rest: &'r [&'p str]) -> (Option<&'p str>, &'r [&'p str]) {
    match rest {
        ["namespaces", namespace, part, ..] if !["status", "finalize"].contains(part) => {
            (Some(namespace), rest.get(2..).unwrap_or_default())
        }
        ["namespaces", namespace, ..] => (Some(namespace), rest),
        rest => (None, rest),
    }
}

/// `proxy` of a path knows no parts of an object.
fn object(group: &str, namespace: Option<&str>, rest: &[&str], verb: Verb) -> Result<Resource, Unread> {
    let (resource, name, subresource) = match (rest, verb) {
        ([resource], _) => (*resource, None, None),
        ([resource, name, ..], Verb::Proxy) => (*resource, Some(*name), None),
        ([resource, name], _) => (*resource, Some(*name), None),
        // What follows a part is not looked at by the authorization, but for `proxy` it is a path of its own.
        ([resource, name, part, ..], _) => (*resource, Some(*name), Some(*part)),
        ([], _) => return Err("the path names no resource"),
    };
    let own = |text: &str| text.to_string();
    Ok(Resource {
        group: own(group),
        resource: own(resource),
        subresource: subresource.map(own),
        namespace: namespace.map(own),
        name: name.map(own),
    })
}

/// Without a name a GET lists or watches, and a DELETE deletes a collection. A field selector may name the one object.
fn collective(verb: Verb, resource: &mut Resource, target: &Target) -> Verb {
    match verb {
        Verb::Get if resource.name.is_none() => {
            resource.name = target.first("fieldSelector").and_then(selected_name);
            if target.first("watch").is_some_and(is_true) { Verb::Watch } else { Verb::List }
        }
        Verb::Delete if resource.name.is_none() => Verb::DeleteCollection,
        verb => verb,
    }
}

/// The one name that a field selector leaves. An escape in it is not followed.
fn selected_name(selector: &str) -> Option<String> {
    if selector.contains('\\') {
        return None;
    }
    let value = |term: &str| {
        let (field, value) = term.split_once('=').filter(|(field, _)| !field.ends_with('!'))?;
        (field == "metadata.name").then(|| value.strip_prefix('=').unwrap_or(value).to_string())
    };
    let is_segment = |name: &String| !name.is_empty() && !name.contains(['/', '%']) && name != "." && name != "..";
    selector.split(',').find_map(value).filter(is_segment)
}

/// Groups, versions, resources and namespaces are lower case; the server knows no others.
fn is_lower_case(resource: &Resource, parts: &[&str]) -> Result<(), Unread> {
    let is_label = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    };
    let Resource { group, resource, subresource, namespace, name: _ } = resource;
    let version = if group.is_empty() { parts.get(1) } else { parts.get(2) };
    let named = [Some(group.as_str()), Some(resource), subresource.as_deref(), namespace.as_deref(), version.copied()];
    if named.into_iter().flatten().all(is_label) {
        Ok(())
    } else {
        Err("what a path of Kubernetes names is written in lower case")
    }
}
