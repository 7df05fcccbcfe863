//! `pawl init`: a configuration to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Exit, Failure};
use crate::mistake::nearest;
use crate::provider::{BUILT_IN, Provider, describe};

/// What to begin with.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// One of the providers that come with Pawl; see `pawl provider list`.
    provider: String,
    /// Where to write.
    #[arg(long, env = "PAWL_CONFIG", value_name = "FILE", default_value = "pawl.toml")]
    config: PathBuf,
    /// Overwrites what is there.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(init: &Init) -> Result<Exit, Failure> {
    let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == init.provider) else {
        return Err(Failure::usage(anyhow::anyhow!(unknown(&init.provider))));
    };
    let provider = Provider::load(&format!("{name}.toml"), text);
    let provider = provider.map_err(|mistakes| Failure::other(mistakes.into()))?;
    let variable = describe::variable(name, "secret");
    let is_signed = !provider.signature.is_none();
    let secret = is_signed.then_some(variable.as_str());
    write(init, &configuration(name, secret)).map_err(Failure::other)?;
    let file = init.config.display();
    let credentials: Vec<&str> = provider.credentials().into_iter().collect();
    println!("{file} is written.");
    if is_signed {
        println!("Set {variable} to the secret that {} signs its callbacks with.", provider.title);
    }
    println!("Have its callbacks sent to /callbacks/shop, at port 8080 of this machine.");
    if !credentials.is_empty() {
        println!(
            "To have it asked, too, add base_url and credentials ({}) to the source.",
            credentials.join(", ")
        );
    }
    println!("Then run: pawl check && pawl serve");
    Ok(Exit::Fine)
}

/// Six lines.
fn configuration(provider: &str, variable: Option<&str>) -> String {
    let secrets = variable.map_or_else(String::new, |variable| {
        let secrets = format!("callback_secrets = [{{ env = \"{variable}\" }}]");
        format!("{secrets:<47} # what its callbacks are signed with\n")
    });
    format!(
        "[store]\n\
         url = \"sqlite:pawl.db\"                          # orders and queue, in one file\n\
         [source.shop]\n\
         provider = \"{provider}\"\n\
         {secrets}\
         unregistered = \"accept\"                         # or \"wait\": hold their money back\n"
    )
}

fn write(init: &Init, text: &str) -> anyhow::Result<()> {
    let file = init.config.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if init.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(&init.config) {
        Ok(mut opened) => {
            opened.write_all(text.as_bytes()).with_context(|| format!("cannot write {file}"))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            anyhow::bail!("{file} is there already: --force overwrites it")
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {file}")),
    }
}

fn unknown(provider: &str) -> String {
    let known = BUILT_IN.iter().map(|(name, _)| *name);
    let hint = match nearest(provider, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", known.collect::<Vec<_>>().join(", ")),
    };
    format!("there is no provider `{provider}`: {hint}")
}
