//! Configuration: defaults, then the file, then the environment; checked whole, before anything
//! starts.

mod ask;
mod callback;
mod differs;
mod effective;
mod example;
mod file;
mod form;
mod keys;
mod schema;
mod schema_signature;
mod secret;
mod sink;
mod sink_keys;
mod source;
mod source_keys;
mod trial;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

pub use effective::Effective;
pub use example::example;
pub use file::LogFormat;
pub use schema::schema;
pub use sink::{Sink, Wants, Way};
pub use source::{FeedSchedule, Limits, Source};
pub use trial::{TRIAL, trial};

use crate::mistake::{Mistake, Mistakes, nearest};
use crate::provider::Provider;
use crate::provider::secret::Secret;
use file::{File, SecretTable};

/// Where a configuration is looked for when nobody says.
pub const PLACES: [&str; 2] = ["pawl.toml", "/etc/pawl/pawl.toml"];

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the file is called in messages.
    pub file: String,
    /// Where callbacks wait and orders are kept.
    pub form: Form,
    /// How callbacks are received.
    pub receive: Receive,
    /// How they are worked off.
    pub work: Work,
    /// Where people and programs look and act.
    pub admin: Admin,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written: a `tracing` filter.
    pub log_level: String,
    /// How long a stop may take.
    pub grace: Duration,
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// Where changes and effects are delivered, by name.
    pub sinks: BTreeMap<String, Sink>,
}

/// Where callbacks wait and orders are kept: exactly two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Both in one SQLite file, of one process.
    Embedded {
        /// The file.
        path: PathBuf,
    },
    /// On RabbitMQ and in PostgreSQL, of any number of processes.
    Distributed {
        /// The database's URL. It may hold a password.
        store_url: Secret,
        /// The broker's URL. It may hold a password.
        queue_url: Secret,
        /// What the names of exchanges and queues begin with.
        prefix: String,
    },
}

/// How callbacks are received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The largest body that is read.
    pub body_bytes_max: usize,
    /// How many requests may be under way at once.
    pub in_flight_max: usize,
    /// How long the queue may take to confirm.
    pub confirm_timeout: Duration,
}

/// How callbacks are worked off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// How many callbacks one transaction may hold.
    pub batch_max: usize,
    /// How long a part-full batch waits for company.
    pub linger: Duration,
    /// How often a callback is tried before it is a dead letter.
    pub attempts_max: u32,
}

/// Where people and programs look and act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What a request must carry. None: loopback only.
    pub token: Option<Secret>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error(
        "there is no configuration: looked for {0}. Three lines are enough:\n\n\
         [source.shop]\nprovider = \"flypay\"\ncallback_secrets = [{{ env = \"FLYPAY_SECRET\" }}]\n"
    )]
    Missing(String),
    /// It cannot be read.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// Which file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is wrong.
    #[error(transparent)]
    Wrong(#[from] Mistakes),
}

impl Config {
    /// Finds and reads the configuration: the given file, or the first of [`PLACES`].
    ///
    /// # Errors
    /// [`ConfigError`], with everything that is wrong.
    pub fn find(given: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let (file, text) = find_text(given)?;
        Ok(Self::read(&file, &text, env)?)
    }

    /// Finds the configuration and reads where its admin port is, for commands that speak to it: they
    /// need none of the secrets that the daemon needs.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn find_admin(
        given: Option<&Path>,
        env: &BTreeMap<String, String>,
    ) -> Result<Admin, ConfigError> {
        let (file, text) = find_text(given)?;
        let placed = |mistakes: Vec<Mistake>| Mistakes::in_file(&file, &text, mistakes);
        let raw = file::read(&text, env).map_err(|mistake| placed(vec![mistake]))?;
        let mut check = Check { env, mistakes: Vec::new() };
        let admin = check.admin(&raw.admin);
        if check.mistakes.is_empty() { Ok(admin) } else { Err(placed(check.mistakes).into()) }
    }

    /// Finds the configuration and reads where its admin port is, and nothing else: health is told to
    /// whoever asks.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn find_listen(
        given: Option<&Path>,
        env: &BTreeMap<String, String>,
    ) -> Result<SocketAddr, ConfigError> {
        let (file, text) = find_text(given)?;
        let placed = |mistakes: Vec<Mistake>| Mistakes::in_file(&file, &text, mistakes);
        let raw = file::read(&text, env).map_err(|mistake| placed(vec![mistake]))?;
        let mut check = Check { env, mistakes: Vec::new() };
        let listen = check.address(raw.admin.listen.as_ref(), "127.0.0.1:8081");
        if check.mistakes.is_empty() { Ok(listen) } else { Err(placed(check.mistakes).into()) }
    }

    /// Reads and checks a configuration's text.
    ///
    /// # Errors
    /// Everything that is wrong with it, with line and column.
    pub fn read(file: &str, text: &str, env: &BTreeMap<String, String>) -> Result<Self, Mistakes> {
        let mistakes = |mistakes: Vec<Mistake>| {
            let overrides = || env.keys().map(String::as_str).filter(|name| name.contains("__"));
            let overrides = || overrides().filter(|name| name.starts_with("PAWL_"));
            let located = mistakes.into_iter().map(|m| file::locate(text, overrides(), m));
            Mistakes::in_file(file, text, located.collect())
        };
        let raw = file::read(text, env).map_err(|mistake| mistakes(vec![mistake]))?;
        let mut check = Check { env, mistakes: Vec::new() };
        let config = check.config(file, &raw);
        match config {
            Some(config) if check.mistakes.is_empty() => Ok(config),
            Some(_) | None => Err(mistakes(check.mistakes)),
        }
    }
}

/// The configuration's name and text: of the given file, or of the first of [`PLACES`].
fn find_text(given: Option<&Path>) -> Result<(String, String), ConfigError> {
    let found = match given {
        Some(path) => Some(path),
        None => PLACES.iter().map(Path::new).find(|path| path.exists()),
    };
    let Some(path) = found else { return Err(ConfigError::Missing(PLACES.join(" and "))) };
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((file, text)),
        Err(error) => Err(ConfigError::Unreadable { file, error }),
    }
}

/// A configuration in the checking.
struct Check<'a> {
    env: &'a BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

impl Check<'_> {
    fn wrong(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.mistakes.push(Mistake::at(span, what));
    }

    fn config(&mut self, name: &str, file: &File) -> Option<Config> {
        let form = self.form(file);
        let receive = Receive {
            listen: self.address(file.receive.listen.as_ref(), "127.0.0.1:8080"),
            body_bytes_max: self.number(
                file.receive.body_bytes_max.as_ref(),
                262_144,
                1..=16_777_216,
            ),
            in_flight_max: self.number(file.receive.in_flight_max.as_ref(), 1024, 1..=65_536),
            confirm_timeout: Duration::from_millis(self.number(
                file.receive.confirm_timeout_ms.as_ref(),
                1500,
                10..=60_000,
            ) as u64),
        };
        let linger_ms = self.number(file.work.linger_ms.as_ref(), 5, 0..=10_000);
        let attempts_max = self.number(file.work.attempts_max.as_ref(), 10, 1..=1000);
        let work = Work {
            batch_max: self.number(file.work.batch_max.as_ref(), 500, 1..=10_000),
            linger: Duration::from_millis(linger_ms as u64),
            attempts_max: u32::try_from(attempts_max).unwrap_or(u32::MAX),
        };
        let admin = self.admin(&file.admin);
        let log_level = self.log_level(file.log.level.as_ref());
        let grace_secs = self.number(file.stop.grace_secs.as_ref(), 25, 0..=3600);
        let providers = self.providers(file.providers.dir.as_ref());
        let sources = self.sources(file, &providers);
        let sinks = self.sinks(file, form.as_ref());
        Some(Config {
            file: name.to_owned(),
            form: form?,
            receive,
            work,
            admin,
            log_format: file.log.format,
            log_level,
            grace: Duration::from_secs(grace_secs as u64),
            sources,
            sinks,
        })
    }

    fn address(&mut self, text: Option<&Spanned<String>>, default: &str) -> SocketAddr {
        let unset = SocketAddr::from(([127, 0, 0, 1], 0));
        let Some(text) = text else { return default.parse().unwrap_or(unset) };
        text.get_ref().parse().unwrap_or_else(|_| {
            let what = format!(
                "`{}` is no address to listen on: write an IP address and a port, such as \"{default}\"",
                text.get_ref()
            );
            self.wrong(text.span(), what);
            unset
        })
    }

    fn number(
        &mut self,
        given: Option<&Spanned<u64>>,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let Some(given) = given else { return default };
        let number = usize::try_from(*given.get_ref()).unwrap_or(usize::MAX);
        if !range.contains(&number) {
            let (from, to) = (range.start(), range.end());
            self.wrong(given.span(), format!("{number} is out of range: write {from} to {to}"));
        }
        number
    }

    fn admin(&mut self, table: &file::AdminTable) -> Admin {
        let listen = self.address(table.listen.as_ref(), "127.0.0.1:8081");
        let token = table.token.as_ref().and_then(|token| {
            let SecretTable { env, file } = token.get_ref();
            self.secret(env.as_deref(), file.as_deref(), &token.span())
        });
        if table.token.is_none() && !listen.ip().is_loopback() {
            let span = table.listen.as_ref().map_or(0..0, Spanned::span);
            let what = format!(
                "without a token the admin port listens on loopback only: add token = {{ file = \"...\" }} \
                 to [admin], or listen on 127.0.0.1:{}",
                listen.port()
            );
            self.wrong(span, what);
        }
        Admin { listen, token }
    }

    fn log_level(&mut self, level: Option<&Spanned<String>>) -> String {
        let Some(level) = level else { return "info".to_owned() };
        let text = level.get_ref();
        // A bare word would otherwise be taken for the name of a crate, and log nothing.
        let is_word = text.bytes().all(|b| b.is_ascii_alphabetic());
        let levels = ["trace", "debug", "info", "warn", "error", "off"];
        let is_known = !is_word || levels.contains(&text.to_ascii_lowercase().as_str());
        if !is_known || text.parse::<tracing_subscriber::filter::Targets>().is_err() {
            let what = format!("`{text}` is no log level: write one of {}", levels.join(", "));
            self.wrong(level.span(), what);
        }
        text.clone()
    }

    fn providers(&mut self, dir: Option<&Spanned<String>>) -> BTreeMap<String, Provider> {
        let mut providers = BTreeMap::new();
        match Provider::built_in() {
            Ok(built_in) => providers.extend(built_in.into_iter().map(|p| (p.name.clone(), p))),
            Err(error) => self.mistakes.push(Mistake::of_file(error.to_string())),
        }
        let Some(dir) = dir else { return providers };
        let entries = match std::fs::read_dir(dir.get_ref()) {
            Ok(entries) => entries,
            Err(error) => {
                self.wrong(
                    dir.span(),
                    format!("cannot read the folder {}: {error}", dir.get_ref()),
                );
                return providers;
            }
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
        paths.sort();
        for path in paths {
            let file = path.display().to_string();
            let loaded = std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {file}: {error}"))
                .and_then(|text| Provider::load(&file, &text).map_err(|error| error.to_string()));
            match loaded {
                Err(error) => self.wrong(dir.span(), error),
                Ok(provider) => {
                    if let Some(known) = providers.insert(provider.name.clone(), provider) {
                        let what = format!("{file}: there already is a provider `{}`", known.name);
                        self.wrong(dir.span(), what);
                    }
                }
            }
        }
        providers
    }
}

/// The hint that names the nearest of the known words.
fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}
