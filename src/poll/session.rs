//! Being logged in at one source's provider: the token is had when it is first needed, renewed before it
//! ends, and lives in this process only.
//!
//! Invariants
//! - One login at a time: whoever needs the token meanwhile waits for it.
//! - A login that fails is not tried again before a pause, which grows; so is one whose token is refused
//!   before it was ever taken. Nobody hammers the provider with a password that is wrong.
//! - The token is never shown.

use std::time::Duration;

use tokio::sync::Mutex;

use super::outcome::Outcome;
use crate::order::timestamp::Timestamp;
use crate::pause::Pauses;
use crate::provider::login::Token;
use crate::provider::secret::Secret;

/// The first pause after a login that failed, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// What chance may add to the longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// A login's token, as an ask uses it.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// The token.
    pub token: Secret,
    /// Which login it came from.
    pub login: u64,
}

/// Being logged in.
#[derive(Debug)]
pub(super) struct Session(Mutex<State>);

#[derive(Debug)]
struct State {
    token: Option<Token>,
    /// How many logins there were.
    login: u64,
    /// Whether the provider has taken the token at least once.
    is_taken: bool,
    /// What became of the last login, and until when there is no other.
    failed: Option<(Outcome, Timestamp)>,
    pauses: Pauses,
}

impl Default for Session {
    fn default() -> Self {
        Self(Mutex::new(State {
            token: None,
            login: 0,
            is_taken: false,
            failed: None,
            pauses: Pauses::new(PAUSES.0, PAUSES.1),
        }))
    }
}

impl Session {
    /// The token: the one that there is, or another one by `login`, where there is none or it is to be
    /// renewed.
    ///
    /// # Errors
    /// What came of the login; of the last one, while there is no other.
    pub(super) async fn pass(
        &self,
        now: Timestamp,
        login: impl Future<Output = Result<Token, Outcome>>,
    ) -> Result<Pass, Outcome> {
        // Held for as long as the login takes: that is what makes it one.
        let mut state = self.0.lock().await;
        if let Some(pass) = state.pass(|token| now < token.renew_at) {
            return Ok(pass);
        }
        if let Some(failure) = state.failure(now) {
            return state.pass(|token| now < token.ends_at).ok_or(failure);
        }
        match login.await {
            Ok(token) => {
                state.token = Some(token);
                state.login += 1;
                (state.is_taken, state.failed) = (false, None);
                state.pass(|_| true).ok_or(Outcome::Unaskable("there is no token".to_owned()))
            }
            Err(outcome) => {
                // Where nobody was asked, nothing failed.
                if !matches!(outcome, Outcome::Unaskable(_)) {
                    state.fail(outcome.clone(), now);
                }
                // What is to be renewed may still be good.
                state.pass(|token| now < token.ends_at).ok_or(outcome)
            }
        }
    }

    /// Takes note that the provider took a token.
    pub(super) async fn note_taken(&self, login: u64) {
        let mut state = self.0.lock().await;
        if state.login == login && state.token.is_some() && !state.is_taken {
            state.is_taken = true;
            state.pauses.reset();
        }
    }

    /// Takes note that the provider refused a token. Whether another login may bring a better one: not if
    /// this one never was any good.
    pub(super) async fn note_refused(&self, login: u64, outcome: &Outcome, now: Timestamp) -> bool {
        let mut state = self.0.lock().await;
        if state.login != login {
            // Somebody has logged in since.
            return true;
        }
        let was_there = state.token.take().is_some();
        if was_there && !state.is_taken {
            state.fail(outcome.clone(), now);
        }
        state.is_taken
    }
}

impl State {
    fn pass(&self, is_good: impl Fn(&Token) -> bool) -> Option<Pass> {
        let token = self.token.as_ref().filter(|token| is_good(token))?;
        Some(Pass { token: token.text.clone(), login: self.login })
    }

    fn fail(&mut self, mut outcome: Outcome, now: Timestamp) {
        let mut pause = self.pauses.pause();
        if let Outcome::Throttled { retry_after, .. } = &mut outcome {
            // What the provider said about when to come again was said once.
            pause = pause.max(retry_after.take().unwrap_or_default().min(PAUSE_MAX));
        }
        self.failed = Some((outcome, now.plus(pause)));
    }

    /// What became of the last login, while there is to be no other. A time that is too far ahead was
    /// written by a clock that has been put back since.
    fn failure(&self, now: Timestamp) -> Option<Outcome> {
        let (outcome, until) = self.failed.as_ref()?;
        let wait = until.since(now);
        (wait > Duration::ZERO && wait <= PAUSE_MAX).then(|| outcome.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::EPOCH.plus_secs(secs)
    }

    fn token(text: &str, renew: u64, end: u64) -> Result<Token, Outcome> {
        let text = Secret::new(text).expect("a token");
        Ok(Token { text, renew_at: at(renew), ends_at: at(end) })
    }

    async fn pass(
        session: &Session,
        now: u64,
        login: Result<Token, Outcome>,
    ) -> Result<(String, u64), Outcome> {
        let pass = session.pass(at(now), async { login }).await?;
        Ok((pass.token.expose().to_owned(), pass.login))
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_to_be_renewed_or_is_refused() {
        let session = Session::default();
        let unused = || Err(Outcome::Unaskable("nobody is to log in".to_owned()));
        assert_eq!(pass(&session, 0, token("a", 80, 100)).await, Ok(("a".into(), 1)));
        assert_eq!(pass(&session, 79, unused()).await, Ok(("a".into(), 1)));
        assert_eq!(pass(&session, 80, token("b", 160, 180)).await, Ok(("b".into(), 2)));
        session.note_taken(2).await;
        assert!(session.note_refused(2, &Outcome::Forbidden(401), at(81)).await);
        assert_eq!(pass(&session, 81, token("c", 160, 180)).await, Ok(("c".into(), 3)));
        // Who was refused with the one before takes this one.
        assert!(session.note_refused(2, &Outcome::Forbidden(401), at(82)).await);
        assert_eq!(pass(&session, 82, unused()).await, Ok(("c".into(), 3)));
    }

    #[tokio::test]
    async fn what_is_to_be_renewed_is_used_while_nobody_can_log_in() {
        let session = Session::default();
        let failed = || Err(Outcome::Unreachable("nobody is there".to_owned()));
        assert!(pass(&session, 0, token("a", 80, 100)).await.is_ok());
        assert_eq!(pass(&session, 80, failed()).await, Ok(("a".into(), 1)));
        assert_eq!(pass(&session, 81, token("b", 160, 180)).await, Ok(("a".into(), 1)));
        assert_eq!(pass(&session, 99, token("b", 160, 180)).await, Ok(("b".into(), 2)));
    }

    #[tokio::test]
    async fn a_login_that_fails_is_followed_by_a_pause_that_grows() {
        let session = Session::default();
        let forbidden = || Outcome::Forbidden(403);
        let mut logins = Vec::new();
        for now in 0..400 {
            let login = async {
                logins.push(now);
                Err(forbidden())
            };
            let outcome = session.pass(at(now), login).await.expect_err("no token");
            assert_eq!(outcome, forbidden());
        }
        let pauses: Vec<u64> = logins.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.len() <= 7 && pauses.is_sorted() && pauses[0] >= 4, "{pauses:?}");
        // A token that is refused although it is new is no better.
        let session = Session::default();
        assert!(pass(&session, 0, token("a", 80, 100)).await.is_ok());
        assert!(!session.note_refused(1, &forbidden(), at(0)).await);
        assert_eq!(pass(&session, 1, token("b", 80, 100)).await, Err(forbidden()));
        assert_eq!(pass(&session, 6, token("b", 80, 100)).await, Ok(("b".into(), 2)));
    }
}
