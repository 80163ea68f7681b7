//! Words that the glossary in CONTRIBUTING.md gives up, looked for in everything that people
//! read: documents, comments, messages, help.

use std::path::Path;

use libtest_mimic::{Failed, Trial};

/// What is not written, and what is written instead.
const GIVEN_UP: [(&str, &str); 10] = [
    ("beside", "next to, in addition to, relative to, compared with"),
    ("so many", "as many, this many, the number of"),
    ("foretell", "predict"),
    ("foretells", "predicts"),
    ("taken back", "yanked"),
    ("fly-back", "flyback"),
    ("as yet", "yet, so far"),
    ("get none", "are unlabelled"),
    ("to be had", "available"),
    ("how manieth", "which"),
];

/// Where text is, from the root of the repository; folders with all that is in them.
const PLACES: [&str; 6] = ["src", "shaders", "tests", "benches", "examples", "crates"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("words::of_the_glossary_are_kept", kept),
        Trial::test("words::that_are_given_up_are_noticed", noticed),
    ]
}

fn kept() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if PLACES.contains(&&*name) || name.ends_with(".md") {
            search(&path, &mut found)?;
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(found.join("\n").into()),
    }
}

/// Says in `found` what is given up in the files under `path`.
fn search(path: &Path, found: &mut Vec<String>) -> Result<(), Failed> {
    if path.is_dir() {
        let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        return entries.iter().try_for_each(|entry| search(&entry.path(), found));
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let own = path.ends_with("tests/suite/words.rs");
    if own || !["md", "rs", "wgsl", "py", "sh", "c"].contains(&&*extension) {
        return Ok(());
    }
    let mut text = std::fs::read_to_string(path)?;
    if path.ends_with("CONTRIBUTING.md") {
        text = without_the_glossary(&text);
    }
    let name = path.display();
    found.extend(given_up(&text).map(|(word, instead)| format!("{name}: '{word}'; say {instead}")));
    Ok(())
}

/// The glossary itself names what it gives up.
fn without_the_glossary(text: &str) -> String {
    let Some((before, glossary)) = text.split_once("\n## Words\n") else { return text.into() };
    let after = glossary.split_once("\n## ").map_or("", |(_, after)| after);
    format!("{before}\n{after}")
}

/// What of the list stands in `text`, over line breaks too.
fn given_up(text: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = text.to_lowercase();
    let marks = ["//", "///", "//!", "#", "\\"];
    let tokens = text.split_whitespace().filter(|token| !marks.contains(token));
    let tokens: Vec<String> = tokens.map(str::to_owned).collect();
    GIVEN_UP.into_iter().filter(move |(words, _)| {
        let words: Vec<&str> = words.split(' ').collect();
        tokens.windows(words.len() + 2).any(|run| stands(&words, run))
    })
}

/// Whether `words` stand in `run` between a word before and one after them, as in a sentence.
/// (Names in code have signs next to them.)
fn stands(words: &[&str], run: &[String]) -> bool {
    let ends = [',', '.', ';', ':', ')', '"', '\\'];
    let in_text = |c: char| c.is_alphanumeric() || ",.'`".contains(c);
    let [before, inner @ .., after] = run else { return false };
    let same = |(token, word): (&String, &&str)| token.trim_end_matches(ends) == *word;
    inner.iter().zip(words).all(same)
        && before.chars().all(in_text)
        && after.starts_with(|c: char| c.is_alphanumeric() || "`'(".contains(c))
}

fn noticed() -> Result<(), Failed> {
    let words = |text: &str| given_up(text).map(|(word, _)| word).collect::<Vec<_>>();
    let cases = [
        ("/// It lies beside\n/// the image.", vec!["beside"]),
        ("format!(\"there are so many \\\n    of them\")", vec!["so many"]),
        ("for (_, next) in beside(at, shape) { if beside { let beside = 1; } }", vec![]),
        ("as many as the image shows, next to it and besides", vec![]),
    ];
    for (text, expected) in cases {
        let found = words(text);
        if found != expected {
            return Err(format!("{found:?} instead of {expected:?} in: {text}").into());
        }
    }
    Ok(())
}
