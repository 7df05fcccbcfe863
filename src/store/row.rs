//! Rows as both dialects give them.

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use crate::order::timestamp::Timestamp;

/// A row of either dialect; columns are counted from 0.
pub(super) trait StoredRow {
    fn uuid(&self, column: usize) -> Result<Uuid, StoreError>;
    fn uuid_or_null(&self, column: usize) -> Result<Option<Uuid>, StoreError>;
    fn int(&self, column: usize) -> Result<i64, StoreError>;
    fn text(&self, column: usize) -> Result<String, StoreError>;
    fn text_or_null(&self, column: usize) -> Result<Option<String>, StoreError>;
    fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError>;
    fn time(&self, column: usize) -> Result<Timestamp, StoreError>;
    fn time_or_null(&self, column: usize) -> Result<Option<Timestamp>, StoreError>;
    fn bool(&self, column: usize) -> Result<bool, StoreError>;

    /// JSON that is selected as text.
    fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(corrupt)
    }
}

macro_rules! stored_row {
    ($row:ty, $time:expr) => {
        impl StoredRow for $row {
            fn uuid(&self, column: usize) -> Result<Uuid, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn uuid_or_null(&self, column: usize) -> Result<Option<Uuid>, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn int(&self, column: usize) -> Result<i64, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn text(&self, column: usize) -> Result<String, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn text_or_null(&self, column: usize) -> Result<Option<String>, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
            fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
                let found = self.try_get(column).map_err(corrupt)?;
                $time(found).ok_or_else(|| corrupt(format!("{found} is no time")))
            }
            fn time_or_null(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
                let Some(found) = self.try_get(column).map_err(corrupt)? else { return Ok(None) };
                $time(found).map(Some).ok_or_else(|| corrupt(format!("{found} is no time")))
            }
            fn bool(&self, column: usize) -> Result<bool, StoreError> {
                self.try_get(column).map_err(corrupt)
            }
        }
    };
}

stored_row!(SqliteRow, |micros: i64| Timestamp::from_micros(micros));
stored_row!(PgRow, |at: OffsetDateTime| Timestamp::from_datetime(at));

pub(super) fn corrupt(error: impl ToString) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// Keys as a JSON list of hexadecimal texts, which is how SQLite takes a list.
pub(super) fn key_list(keys: &[Uuid]) -> Result<String, StoreError> {
    let keys: Vec<String> = keys.iter().map(|key| key.simple().to_string()).collect();
    json(&keys)
}

/// A value as JSON text.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt)
}

/// A text for people, which may quote what came from outside. PostgreSQL's text holds no NUL; ids and
/// names with one are refused by those who read them.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
