//! Commands of the shell itself that may change what later words mean, or that read words as code.

use alloc::string::String;

/// Builtins that define aliases, functions, variables, options or places of programs, read other text as commands, or
/// evaluate subscripts in their arguments.
const CHANGING: [&str; 36] = [
    ".",
    "alias",
    "bind",
    "builtin",
    "caller",
    "command",
    "compgen",
    "complete",
    "compopt",
    "coproc",
    "declare",
    "dot",
    "enable",
    "eval",
    "exec",
    "export",
    "fc",
    "getopts",
    "hash",
    "history",
    "let",
    "local",
    "logout",
    "mapfile",
    "read",
    "readarray",
    "readonly",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "trap",
    "typeset",
    "unalias",
    "unset",
];

/// Whether what follows a command may mean something else than it says, or what it is given is code.
pub(super) fn changes_meaning(argv: &[String]) -> bool {
    let Some((program, words)) = argv.split_first() else { return false };
    let has = |option: &str| words.iter().any(|word| word == option);
    match program.as_str() {
        // `printf -v a[…]`, `test -v a[…]` and `wait -p a[…]` evaluate the subscript.
        "printf" => words.first().is_some_and(|word| word.starts_with("-v")),
        "test" | "[" => has("-v") || has("-R"),
        "wait" => words.iter().any(|word| word.starts_with('-')),
        "jobs" => has("-x"),
        // A job of the shell.
        program if program.starts_with('%') => true,
        program => CHANGING.contains(&program),
    }
}
