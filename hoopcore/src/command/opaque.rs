//! Which programs run what their words alone do not tell.

use alloc::string::String;

use crate::listed;

/// Programs that run others, or code: interpreters, wrappers, editors, database clients, build tools, schedulers.
const OPAQUE: &str = include_str!("opaque.txt");
/// Programs that do so for some of their commands: those words.
const PARTLY: [(&str, &[&str]); 8] = [
    ("crictl", &["exec", "run", "runp", "attach"]),
    ("docker", &["exec", "run", "create", "build", "compose", "cp", "attach", "start"]),
    (
        "git",
        &[
            "bisect",
            "clone",
            "difftool",
            "fetch",
            "filter-branch",
            "mergetool",
            "pull",
            "rebase",
            "submodule",
            "config",
        ],
    ),
    ("ip", &["netns", "vrf"]),
    ("kubectl", &["exec", "run", "debug", "attach", "cp", "plugin", "edit", "proxy", "port-forward"]),
    ("nerdctl", &["exec", "run", "create", "build", "compose", "cp", "attach", "start"]),
    ("oc", &["exec", "run", "rsh", "debug", "attach", "cp", "edit"]),
    ("podman", &["exec", "run", "create", "build", "compose", "cp", "attach", "start", "unshare"]),
];

/// Whether a command runs what its words alone do not tell.
pub(crate) fn is_opaque(argv: &[String]) -> bool {
    let Some((program, words)) = argv.split_first() else { return false };
    let name = program.rsplit('/').next().unwrap_or(program);
    // `python3.11` is python.
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let partly = PARTLY.iter().find(|(program, _)| *program == name);
    let runs = |(_, commands): &(&str, &[&str])| words.iter().any(|word| commands.contains(&word.as_str()));
    listed::holds(OPAQUE, name) || listed::holds(OPAQUE, plain) || partly.is_some_and(runs)
}
