//! What can go wrong in the store, by what to do about it.

use sqlx::postgres::PgDatabaseError;

/// What went wrong in the store, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work later: busy, full, gone. Nothing that was asked for has happened, unless the
    /// commit itself was lost; then what was written is found when it is tried again.
    #[error("the store cannot be used now")]
    Unavailable(#[source] sqlx::Error),
    /// What was to be written cannot be: it will not work later either.
    #[error("the store refuses what was to be written")]
    Refused(#[source] sqlx::Error),
    /// Somebody else wrote in between: to be tried again from the start.
    #[error("an order was changed by somebody else in between")]
    Raced,
    /// What was read is not what was once written.
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether it is unavailable only for what was touched: somebody holds a lock for too long, or a
    /// statement is too much at once. Something else may well work.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        let Self::Unavailable(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| matches!(&*code, "55P03" | "57014"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match judge(&error) {
            Judgement::Unavailable => Self::Unavailable(error),
            Judgement::Refused => Self::Refused(error),
            Judgement::Raced => Self::Raced,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Unavailable,
    Refused,
    Raced,
}

/// A connection that breaks, a pool that has none to give, an answer that does not come: all that we do
/// not know to be about what was written is tried again, and the transaction as a whole, never a
/// statement of it.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's errors are an open set")]
fn judge(error: &sqlx::Error) -> Judgement {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database.try_downcast_ref::<PgDatabaseError>().is_some() {
                judge_sqlstate(&code, database.table())
            } else if is_sqlite_refusal(&code) {
                Judgement::Refused
            } else {
                Judgement::Unavailable
            }
        }
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Judgement::Refused
        }
        _ => Judgement::Unavailable,
    }
}

/// SQLite's primary result code: TOOBIG, CONSTRAINT, MISMATCH, RANGE.
fn is_sqlite_refusal(code: &str) -> bool {
    matches!(code.parse::<i32>().unwrap_or(0) & 0xff, 18 | 19 | 20 | 25)
}

/// Tables in which a key that is taken means that somebody else was first: who tries again finds it.
const FIRST_WINS: [&str; 4] = ["orders", "order_ids", "event_bodies", "effects"];

/// Everything else is for later: 08 and 57P (no connection, a restart), 53 (full), 55P03 and 57014 (too
/// slow), 25006 (the primary became a replica; the pool drops such a connection).
fn judge_sqlstate(code: &str, table: Option<&str>) -> Judgement {
    match code {
        // A serialization failure or a deadlock: at once again.
        "40001" | "40P01" => Judgement::Raced,
        "23505" if table.is_some_and(|table| FIRST_WINS.contains(&table)) => Judgement::Raced,
        _ if code.starts_with("22") || code.starts_with("23") => Judgement::Refused,
        _ => Judgement::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart_by_what_to_do_about_them() {
        for code in [
            "08006", "08001", "57P01", "57P02", "57P03", "57014", "53100", "53300", "55P03",
            "25006", "25P02", "25P03", "42P01", "XX000",
        ] {
            assert_eq!(judge_sqlstate(code, Some("orders")), Judgement::Unavailable, "{code}");
        }
        for code in ["22021", "22P02", "22003", "23502", "23503", "23514"] {
            assert_eq!(judge_sqlstate(code, Some("orders")), Judgement::Refused, "{code}");
        }
        for code in ["40001", "40P01"] {
            assert_eq!(judge_sqlstate(code, None), Judgement::Raced, "{code}");
        }
        assert_eq!(judge_sqlstate("23505", Some("event_bodies")), Judgement::Raced);
        assert_eq!(judge_sqlstate("23505", Some("events")), Judgement::Refused);
    }
}
