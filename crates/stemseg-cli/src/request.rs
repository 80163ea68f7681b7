//! Requests of other front ends, whose settings are the program's options under other names.

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use stemseg_run::Request;

use crate::{Cli, Command, command};

/// An option that is not one, or a value that is none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The option, without the hyphens before it; `clusters` for `-k`.
    pub option: Option<String>,
    /// The value that was given.
    pub value: Option<String>,
    /// What is wrong, and what may be given instead.
    pub reason: String,
    /// Whether there is no such option.
    pub unknown: bool,
}

/// The request that `stemseg segment IMAGE` makes with these options, each a name as after its
/// `--`, with a value unless it is a switch.
///
/// # Errors
/// What the program would refuse, in words without options where it says which.
pub fn request(
    image: &std::path::Path,
    options: &[(String, Option<String>)],
) -> Result<Result<Request, stemseg::Error>, Refused> {
    let mut words = vec!["stemseg".into(), "segment".into()];
    for (name, value) in options {
        words.push(match value {
            // In one word, so that a value may begin with a hyphen.
            Some(value) => format!("--{name}={value}").into(),
            None => format!("--{name}").into(),
        });
    }
    words.push("--".into());
    words.push(image.as_os_str().to_owned());
    let matches = command().try_get_matches_from(words);
    let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed.map(|cli| cli.command) {
        Ok(Command::Segment(args)) => Ok(args.request()),
        Ok(_) => unreachable!("the words are those of a segmentation"),
        Err(error) => Err(refused(&error)),
    }
}

/// What clap says, in parts.
fn refused(error: &clap::Error) -> Refused {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg).map(|arg| {
        // "--stride <LENGTH>", "-k, --clusters <auto|K>".
        let long = arg.find("--").map_or(arg.as_str(), |at| &arg[at + 2..]);
        long.split([' ', '=', '<']).next().unwrap_or_default().to_owned()
    });
    let reason = match (std::error::Error::source(error), text(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(valid)) => format!("give one of {valid}"),
        (None, None) => {
            let whole = error.render().to_string();
            let line = whole.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    };
    let unknown = error.kind() == ErrorKind::UnknownArgument;
    Refused { option, value: text(ContextKind::InvalidValue), reason, unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[(&str, Option<&str>)]) -> Result<Result<Request, stemseg::Error>, Refused> {
        let own =
            |&(name, value): &(&str, Option<&str>)| (name.to_owned(), value.map(ToOwned::to_owned));
        request("image.npy".as_ref(), &options.iter().map(own).collect::<Vec<_>>())
    }

    #[test]
    fn options_make_the_request_of_the_program() {
        let request = of(&[("clusters", Some("3")), ("mask-invert", None)]);
        // A switch that needs another option.
        assert!(request.is_err());
        let request = of(&[("clusters", Some("3")), ("seed", Some("7"))]).unwrap().unwrap();
        assert_eq!((request.settings.clusters, request.settings.seed), (vec![3], 7));
        assert_eq!(request.images, ["image.npy"].map(std::path::PathBuf::from));
    }

    #[test]
    fn what_is_refused_is_said_in_parts() {
        let refused = of(&[("smooth", Some("much"))]).unwrap_err();
        assert_eq!(refused.option.as_deref(), Some("smooth"));
        assert_eq!(refused.value.as_deref(), Some("much"));
        assert_eq!(refused.reason, "'much' is not a number");
        let refused = of(&[("clusters", Some("x"))]).unwrap_err();
        assert_eq!(refused.option.as_deref(), Some("clusters"));
        let refused = of(&[("border", Some("none"))]).unwrap_err();
        assert_eq!(refused.reason, "give one of nearest, blank");
        assert!(of(&[("strife", Some("3"))]).unwrap_err().unknown);
    }
}
