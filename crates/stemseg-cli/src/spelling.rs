//! Settings as options: how messages of the libraries are said on the command line.

use stemseg::Error;
use stemseg::wording::{Setting, Text};

/// A setting as the option that sets it.
fn option(setting: &Setting) -> String {
    let name = match setting.name {
        "clusters" => "-k".to_owned(),
        name => format!("--{name}"),
    };
    match setting.value.as_deref() {
        None | Some("true") => name,
        Some(value) => format!("{name} {value}"),
    }
}

/// A sentence in which settings are options.
pub(crate) fn words(text: &Text) -> String {
    text.spelled(&option)
}

/// What is wrong, in a sentence in which settings are options.
pub(crate) fn error(error: &Error) -> String {
    words(&error.text())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;
    use stemseg::wording::SETTINGS;

    use super::*;

    #[test]
    fn every_setting_is_an_option() {
        let command = crate::Cli::command();
        let longs = |command: &clap::Command| -> Vec<String> {
            command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
        };
        let options: BTreeSet<String> = command.get_subcommands().flat_map(longs).collect();
        for name in SETTINGS {
            assert!(options.contains(name), "{name} is no option");
        }
    }

    #[test]
    fn settings_are_said_as_options() {
        let text = "fewer `clusters`, `clusters = 3`, `force = true`, `device = cpu`, a `mask`";
        let said = "fewer -k, -k 3, --force, --device cpu, a --mask";
        assert_eq!(words(&text.into()), said);
        let refused = Error::parameter("stride", 0, "give a `stride` of at least 1");
        assert_eq!(error(&refused), "--stride 0: give a --stride of at least 1");
    }

    /// The string literals of a source file. Comments and characters are not strings.
    fn literals(source: &str) -> Vec<String> {
        let (mut found, mut rest) = (Vec::new(), source);
        while let Some(at) = rest.find(['"', '/', '\'']) {
            let (before, here) = rest.split_at(at);
            let raw = before.ends_with('r') || before.ends_with("r#");
            rest = if here.starts_with("//") {
                here.find('\n').map_or("", |end| &here[end..])
            } else if let Some(after) = ["'\"'", "'\\''", "'\\\"'", "'/'"]
                .into_iter()
                .find_map(|character| here.strip_prefix(character))
            {
                after
            } else if let Some(literal) = here.strip_prefix('"') {
                let end = end_of_literal(literal, raw, before.ends_with("r#"));
                found.push(literal[..end].to_owned());
                literal.get(end + 1..).unwrap_or_default()
            } else {
                &here[1..]
            };
        }
        found
    }

    /// Where the literal ends that `text` begins in.
    fn end_of_literal(text: &str, raw: bool, hashed: bool) -> usize {
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if !raw => escaped = true,
                '"' if !hashed || text[at..].starts_with("\"#") => return at,
                _ => {}
            }
        }
        text.len()
    }

    /// What only a command line has: options, and subcommands of `stemseg`.
    fn terminal_word(literal: &str) -> Option<String> {
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_ascii_lowercase() || "-{}".contains(*c)).collect()
        };
        let free = |at: usize| !literal[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let option = literal.match_indices("--").filter(|(at, _)| free(*at)).find_map(|(at, _)| {
            let name = word(&literal[at + 2..]);
            let style = literal[at + 2 + name.len()..].starts_with(':');
            (name.starts_with(|c: char| c.is_alphabetic() || c == '{') && !style)
                .then(|| format!("--{name}"))
        });
        let clusters = literal
            .match_indices("-k")
            .find(|&(at, _)| free(at) && word(&literal[at + 1..]) == "k")
            .map(|_| "-k".to_owned());
        let command = literal.match_indices("stemseg ").find_map(|(at, program)| {
            let name = word(&literal[at + program.len()..]);
            crate::Cli::command().find_subcommand(&name).map(|_| format!("stemseg {name}"))
        });
        option.or(clusters).or(command)
    }

    /// A word that is marked as a setting and is none; links in documentation are not marks.
    fn unknown_setting(literal: &str) -> Option<&str> {
        let parts: Vec<&str> = literal.split('`').collect();
        let pairs = parts.chunks_exact(2).filter(|pair| !pair[0].ends_with('['));
        let mut names = pairs.filter_map(|pair| pair[1].split(" = ").next());
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        match parts.len() % 2 {
            1 => names.find(|name| is_name(name) && !SETTINGS.contains(name)),
            _ => None,
        }
    }

    #[test]
    fn libraries_do_not_speak_of_options() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = 0;
        let mut wrong = Vec::new();
        for crate_ in ["", "files", "report", "run", "simulate", "bench"] {
            let folder = match crate_ {
                "" => root.join("src"),
                name => root.join(format!("crates/stemseg-{name}/src")),
            };
            for entry in walkdir::WalkDir::new(folder) {
                let path = entry.unwrap().into_path();
                // The file that explains how options are avoided names some.
                let explains = path.ends_with("src/wording.rs");
                if explains || path.extension().is_none_or(|ending| ending != "rs") {
                    continue;
                }
                files += 1;
                let source = std::fs::read_to_string(&path).unwrap();
                for literal in literals(&source) {
                    let word = terminal_word(&literal)
                        .or_else(|| unknown_setting(&literal).map(|name| format!("`{name}`")));
                    wrong.extend(word.map(|word| format!("{}: {word}: {literal}", path.display())));
                }
            }
        }
        assert!(files > 200, "only {files} files were found");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn options_are_recognised_in_literals() {
        let source = r#"
            // "--comment"
            let quote = '"'; let a = "give --force";
            let b = "a \"b\" --{name}"; style("--ratio:1"); "a--b", "-kx", "non-k", "fewer -k"
            "as stemseg info shows"
        "#;
        let found: Vec<String> =
            literals(source).iter().filter_map(|literal| terminal_word(literal)).collect();
        assert_eq!(found, ["--force", "--{name}", "-k", "stemseg info"]);
        assert_eq!(unknown_setting("a `stride` and `strife = 3`"), Some("strife"));
        assert_eq!(unknown_setting("see [`strife`], `C v`, and `"), None);
    }
}
