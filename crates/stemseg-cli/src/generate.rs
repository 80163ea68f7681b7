//! `stemseg completions` and `stemseg man`: completion scripts and manual pages, made from
//! the definition of the command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use stemseg::{Error, Result};
use stemseg_files::write::replace_file;

use super::{Failure, command, print};

/// Print a completion script for a shell.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stemseg completions bash > ~/.local/share/bash-completion/completions/stemseg
  stemseg completions zsh > ~/.zfunc/_stemseg
  stemseg completions fish > ~/.config/fish/completions/stemseg.fish")]
pub(super) struct CompletionArgs {
    /// The shell.
    shell: Shell,
}

/// Print the manual page of stemseg, or write all manual pages to a folder.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stemseg man | man -l -
  stemseg man --out ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Folder for stemseg.1 and one page for each subcommand.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "stemseg", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let pages = pages().map_err(|e| Failure::Run(e.into()))?;
    match &args.out {
        Some(folder) => Ok(write_pages(folder, &pages)?),
        None => print(pages[0].1.trim_end()),
    }
}

/// Name and text of every page, the program's first.
fn pages() -> std::io::Result<Vec<(String, String)>> {
    let mut root = command().disable_help_subcommand(true);
    root.build();
    let mut pages = vec![("stemseg".to_owned(), page(&root)?)];
    for sub in root.get_subcommands() {
        let name = format!("stemseg-{}", sub.get_name());
        let sub = sub.clone().name(name.clone()).disable_help_flag(true);
        pages.push((name, page(&sub)?));
    }
    Ok(pages)
}

/// One page. What follows the options in `--help` is laid out by hand, so its
/// lines must stay as they are.
fn page(command: &clap::Command) -> std::io::Result<String> {
    let man = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if let Some(notes) = command.get_after_long_help().or(command.get_after_help()) {
        let notes = notes.to_string().replace('\\', "\\\\").replace('-', "\\-");
        text.push_str(".SH NOTES\n.nf\n");
        for line in notes.lines() {
            // A leading dot or quote would be a request.
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            text.push_str(&format!("{guard}{line}\n"));
        }
        text.push_str(".fi\n");
    }
    Ok(text)
}

/// Writes the pages, in the place of earlier ones and of nothing else.
fn write_pages(folder: &Path, pages: &[(String, String)]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let path = |name: &str| folder.join(format!("{name}.1"));
    pages.iter().try_for_each(|(name, _)| check_page(&path(name)))?;
    pages.iter().try_for_each(|(name, text)| {
        let path = path(name);
        replace_file(&path, |file| file.write_all(text.as_bytes()).map_err(Error::io(&path)))
    })
}

/// Refuses to replace what is not a page of stemseg.
fn check_page(path: &Path) -> Result<()> {
    let is_page = || {
        std::fs::read(path).is_ok_and(|text| {
            String::from_utf8_lossy(&text).lines().any(|line| line.starts_with(".TH stemseg"))
        })
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() || !is_page() => {
            let reason =
                "it is not a manual page of stemseg, and is not replaced; give another --out";
            Err(Error::parameter("out", path.display(), reason))
        }
        _ => Ok(()),
    }
}
