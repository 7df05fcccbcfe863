//! Calls one source's provider: logged in where it wants that, and not while it wants to be left alone.
//! All who ask the source in this process share one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use uuid::Uuid;

use super::client::{self, Reply};
use super::outcome::Outcome;
use super::session::{Pass, Session};
use crate::clock::Clock;
use crate::config::Source;
use crate::provider::login::{Login, Token};
use crate::provider::meaning::Errors;
use crate::provider::request::{Asker, Question, QuestionError};
use crate::provider::secret::Secret;

/// For how long a process goes by what it heard itself: by then the store has it.
pub const HUSH_MAX: Duration = Duration::from_secs(3);

/// Who calls a source's provider.
#[derive(Debug)]
pub struct Caller {
    source: Source,
    base_url: String,
    client: reqwest::Client,
    clock: Clock,
    session: Session,
    /// Until when it just said to be left alone. The store says so, too, and to others; but that takes a
    /// moment, in which more would be asked.
    hushed_until: Mutex<Option<Instant>>,
}

impl Caller {
    /// Of a source that has a base URL.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn of(source: &Source, clock: &Clock) -> reqwest::Result<Option<Self>> {
        let Some(base_url) = source.base_url.clone() else { return Ok(None) };
        Ok(Some(Self {
            client: client::client(source)?,
            source: source.clone(),
            base_url,
            clock: clock.clone(),
            session: Session::default(),
            hushed_until: Mutex::default(),
        }))
    }

    /// Where the provider is asked.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Asks a question, and once more with another token where the first one is not taken any more.
    /// `may_begin` says before each call whether it still is to be.
    ///
    /// # Errors
    /// What came of it, where there is no reply.
    pub(super) async fn call(
        &self,
        make: impl Fn(&Asker<'_>) -> Result<Question, QuestionError>,
        errors: &Errors,
        may_begin: impl Fn() -> Result<(), Outcome>,
    ) -> Result<Reply, Outcome> {
        let mut is_again = false;
        loop {
            let pass = match &self.source.provider.auth.login {
                Some(login) => Some(self.pass(login).await?),
                None => None,
            };
            let token = pass.as_ref().map(|pass| &pass.token);
            let question = make(&self.asker(token)).map_err(unaskable)?;
            may_begin()?;
            let reply = self.send(question, errors).await?;
            let Some(Pass { login, .. }) = pass else { return Ok(reply) };
            if reply.status != StatusCode::UNAUTHORIZED {
                self.session.note_taken(login).await;
                return Ok(reply);
            }
            let outcome = Outcome::Forbidden(reply.status.as_u16());
            let may_help = self.session.note_refused(login, &outcome, self.clock.now()).await;
            if is_again || !may_help {
                return Err(outcome);
            }
            is_again = true;
        }
    }

    async fn pass(&self, login: &Login) -> Result<Pass, Outcome> {
        let now = self.clock.now();
        let (source, auth) = (self.source.name.as_str(), &self.source.provider.auth);
        let logging_in = async {
            let question = login.question(auth, &self.asker(None)).map_err(unaskable)?;
            let token = self.log_in(login, question).await;
            match &token {
                Ok(token) => tracing::info!(source, until = %token.ends_at, "logged in"),
                Err(outcome) => tracing::warn!(source, reason = %outcome, "cannot log in"),
            }
            token
        };
        self.session.pass(now, logging_in).await
    }

    async fn log_in(&self, login: &Login, question: Question) -> Result<Token, Outcome> {
        let reply = self.send(question, &Errors::default()).await?;
        match reply.status {
            StatusCode::BAD_REQUEST => Err(Outcome::Forbidden(reply.status.as_u16())),
            status if status.is_success() => {
                let token = login.read(&reply.body, reply.said_at, self.clock.now());
                token.map_err(|error| Outcome::Unreadable(format!("the login: {error}")))
            }
            // It is the login that is not there, and no order.
            status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => {
                Err(Outcome::Unreadable(format!("the login answered {status}")))
            }
            _ => Err(reply.error(None)),
        }
    }

    fn asker<'a>(&'a self, token: Option<&'a Secret>) -> Asker<'a> {
        let (now, base_url) = (self.clock.now(), self.base_url.as_str());
        Asker { credentials: &self.source.credentials, token, uuid: Uuid::now_v7(), now, base_url }
    }

    async fn send(&self, question: Question, errors: &Errors) -> Result<Reply, Outcome> {
        if self.is_hushed() {
            let what = "the provider just said to come again later";
            return Err(Outcome::Unaskable(what.to_owned()));
        }
        let now = self.clock.now();
        client::fetch(&self.client, &self.base_url, question, errors, now).await
    }

    /// Asks nothing more for a moment, if that is what the provider said. For how long in all is for the
    /// store to say.
    pub(super) fn hush(&self, outcome: &Outcome) {
        if let Outcome::Throttled { retry_after: Some(after), .. } = outcome {
            let until = Instant::now() + (*after).min(HUSH_MAX);
            let mut hushed = self.hushed_until.lock().unwrap_or_else(PoisonError::into_inner);
            *hushed = (*hushed).max(Some(until));
        }
    }

    /// Whether it just said to be left alone.
    pub(super) fn is_hushed(&self) -> bool {
        let until = *self.hushed_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

fn unaskable(error: QuestionError) -> Outcome {
    Outcome::Unaskable(error.to_string())
}
