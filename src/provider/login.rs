//! Logging in: a request that brings a token, which all other requests carry for as long as it is good.
//! Built and read without I/O; `poll::session` sends it, and keeps what it brings.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::json::{Json, Pointer};
use super::read::{TimeFormat, Unreadable};
use super::request::{Asker, Auth, Question, QuestionError, Request};
use super::secret::Secret;
use super::template::Template;
use super::values::Values;
use crate::order::timestamp::Timestamp;

/// How a token is had.
#[derive(Clone)]
pub struct Login {
    /// The request, with places for credentials.
    pub request: Request,
    /// Where the token is in the answer.
    pub token: Pointer,
    /// Where it is said how long it is good, and how.
    pub expires: Option<(Pointer, Expiry)>,
    /// How long it is good where that is not said.
    pub life: Duration,
    /// Headers, with a place for the token.
    pub send: BTreeMap<String, Template>,
}

// By hand: an author may have written a credential into a text.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let send: Vec<&str> = self.send.keys().map(String::as_str).collect();
        f.debug_struct("Login")
            .field("token", &self.token)
            .field("send", &send)
            .finish_non_exhaustive()
    }
}

/// How it is said for how long a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Until a time.
    At(TimeFormat),
    /// For so many seconds.
    Seconds,
}

/// A token, and how long it is good. It is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub text: Secret,
    /// From when on another one should be had.
    pub renew_at: Timestamp,
    /// Until when it is good.
    pub ends_at: Timestamp,
}

/// A token is kept at least so long, whatever is said: else a clock that is wrong would make us log in for
/// every question.
const LIFE_MIN: Duration = Duration::from_secs(10);

/// A token is kept at most so long.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);

/// How long before its end a token is renewed, unless four fifths of its life end later.
const AHEAD: Duration = Duration::from_secs(60);

/// The longest token that is sent.
const TOKEN_BYTES_MAX: usize = 8_192;

impl Login {
    /// Makes the request.
    ///
    /// # Errors
    /// [`QuestionError`] where a credential is missing.
    pub fn question(&self, auth: &Auth, asker: &Asker<'_>) -> Result<Question, QuestionError> {
        let mut values = Values::default();
        for place in self.credentials() {
            let missing = || QuestionError::NoCredential(place.to_owned());
            let secret = asker.credentials.get(place).ok_or_else(missing)?;
            values = values.with(place, secret.expose());
        }
        self.request.question(auth, &Asker { token: None, ..*asker }, &values, None)
    }

    /// Reads the answer. `said_at` is when it was given, by the clock that also says until when the token
    /// is good.
    ///
    /// # Errors
    /// [`Unreadable`]; it never quotes the token.
    pub fn read(
        &self,
        body: &[u8],
        said_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Token, Unreadable> {
        let body = Json::read(body)?;
        let text = match body.at(&self.token) {
            None => {
                let places = self.token.to_string();
                return Err(Unreadable::Missing { what: "token", places });
            }
            Some(Json::Text(text)) if is_sendable(text) => Secret::new(text.clone()).ok(),
            Some(_) => None,
        };
        let text = text.ok_or_else(|| Unreadable::Sort {
            what: "token".to_owned(),
            place: self.token.to_string(),
            found: "something else",
            wanted: "a text that a header can carry",
        })?;
        let life = self.life(&body, said_at.unwrap_or(now)).clamp(LIFE_MIN, LIFE_MAX);
        let renew_after = life.mul_f64(0.8).max(life.saturating_sub(AHEAD));
        Ok(Token { text, renew_at: now.plus(renew_after), ends_at: now.plus(life) })
    }

    /// For how long the token is good, from when the answer was given.
    fn life(&self, body: &Json, said_at: Timestamp) -> Duration {
        let said = self.expires.as_ref().and_then(|(place, expiry)| {
            let literal = match body.at(place)? {
                Json::Number(literal) | Json::Text(literal) => literal,
                Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => return None,
            };
            match expiry {
                Expiry::At(format) => Some(format.read(literal)?.since(said_at)),
                Expiry::Seconds => literal.parse::<u64>().ok().map(Duration::from_secs),
            }
        });
        said.unwrap_or(self.life)
    }

    /// The names of the credentials that it needs.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &str> {
        let bodies = self.request.bodies.iter().flat_map(|body| body.places());
        let bodies = bodies.map(|(place, _)| place);
        bodies.chain(self.request.path.places())
    }
}

fn is_sendable(token: &str) -> bool {
    token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::EPOCH.plus_secs(secs)
    }

    fn login(expires: Option<Expiry>) -> Login {
        Login {
            request: Request {
                method: crate::provider::request::Method::Post,
                path: "/login".parse().expect("a path"),
                bodies: Vec::new(),
                format: crate::provider::body::BodyFormat::Json,
            },
            token: "/token".parse().expect("a pointer"),
            expires: expires.map(|expiry| ("/until".parse().expect("a pointer"), expiry)),
            life: Duration::from_secs(1000),
            send: BTreeMap::new(),
        }
    }

    /// When a token is renewed and when it ends, in seconds from now.
    fn read(expires: Option<Expiry>, body: &str, said_at: Option<u64>) -> (u64, u64) {
        let now = at(1_000_000);
        let token = login(expires).read(body.as_bytes(), said_at.map(at), now).expect("a token");
        (token.renew_at.since(now).as_secs(), token.ends_at.since(now).as_secs())
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end_or_after_four_fifths_of_its_life() {
        let secs = Some(Expiry::Seconds);
        assert_eq!(read(secs, r#"{"token":"t","until":3600}"#, None), (3540, 3600));
        assert_eq!(read(secs, r#"{"token":"t","until":"100"}"#, None), (80, 100));
        assert_eq!(read(secs, r#"{"token":"t","until":300}"#, None), (240, 300));
        // What is not said, or not readable, is as the definition says.
        assert_eq!(read(secs, r#"{"token":"t"}"#, None), (940, 1000));
        assert_eq!(read(secs, r#"{"token":"t","until":"soon"}"#, None), (940, 1000));
        assert_eq!(read(None, r#"{"token":"t","until":5}"#, None), (940, 1000));
    }

    #[test]
    fn until_when_a_token_is_good_goes_by_the_clock_that_says_it() {
        let epoch = Some(Expiry::At(TimeFormat::EpochSeconds));
        // That clock is an hour ahead.
        assert_eq!(read(epoch, r#"{"token":"t","until":1003800}"#, Some(1_003_600)), (160, 200));
        assert_eq!(read(epoch, r#"{"token":"t","until":1000200}"#, None), (160, 200));
        // It is over already: nobody logs in for every question.
        assert_eq!(read(epoch, r#"{"token":"t","until":5}"#, None), (8, 10));
        let rfc3339 = Some(Expiry::At(TimeFormat::Rfc3339));
        let body = r#"{"token":"t","until":"1970-01-12T13:50:00Z"}"#;
        assert_eq!(read(rfc3339, body, None), (160, 200));
    }

    #[test]
    fn the_token_takes_the_place_of_what_it_was_had_by() {
        let template = |text: &str| text.parse::<Template>().expect("a template");
        let send = BTreeMap::from([("authorization".to_owned(), template("Bearer {token}"))]);
        let auth = Auth {
            headers: BTreeMap::from([("X-Key".to_owned(), template("{key}"))]),
            basic: Some((template("{key}"), template("{key}"))),
            login: Some(Login { send, ..login(None) }),
            ..Auth::default()
        };
        let secret = |text: &str| Secret::new(text).expect("a secret");
        let credentials = BTreeMap::from([("key".to_owned(), secret("k"))]);
        let asker = Asker {
            credentials: &credentials,
            token: None,
            uuid: uuid::Uuid::nil(),
            now: Timestamp::EPOCH,
            base_url: "https://provider.example",
        };
        let lines = |question: &Question| -> Vec<String> {
            let sent = question.headers.iter().filter(|(name, _)| *name != "accept");
            sent.map(|(name, value)| format!("{name}: {value}")).collect()
        };
        let of_login = auth.login.as_ref().expect("a login");
        let question = of_login.question(&auth, &asker).expect("a question");
        assert_eq!(lines(&question), ["x-key: k", "authorization: Basic azpr"]);
        let token = secret("t");
        let asker = Asker { token: Some(&token), ..asker };
        let question = of_login.request.question(&auth, &asker, &Values::default(), None);
        let question = question.expect("a question");
        assert_eq!(lines(&question), ["x-key: k", "authorization: Bearer t"]);
    }

    #[test]
    fn what_is_no_token_is_said_and_never_quoted() {
        let now = at(0);
        for body in [r#"{"token":12}"#, r#"{"token":"a\nb"}"#, r#"{"token":" "}"#, "{}", "<html>"] {
            let error = login(None).read(body.as_bytes(), None, now).expect_err(body).to_string();
            assert!(!error.contains("a\nb") && !error.contains("12"), "{error}");
        }
        let token = login(None).read(br#"{"token":"hush"}"#, None, now).expect("a token");
        assert!(!format!("{token:?}").contains("hush"));
    }
}
