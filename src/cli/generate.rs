//! `stemseg completions` and `stemseg man`: what shells and `man` want to know,
//! made from the command line's own definition.

use std::path::{Path, PathBuf};

use clap_complete::Shell;
use stemseg::Error;

use super::{Failure, command, print};

/// Print the completion script of a shell.
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

/// Print the manual page, or write all pages into a folder.
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
    match &args.out {
        Some(folder) => write_pages(folder).map_err(|e| Failure::from(Error::io(folder)(e))),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command())
                .render(&mut page)
                .map_err(|e| Failure::Run(e.into()))?;
            print(String::from_utf8_lossy(&page).trim_end())
        }
    }
}

fn write_pages(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command(), folder)
}
