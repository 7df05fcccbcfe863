//! Exact money: decimals that are never rounded, and currency codes.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many significant digits an amount may have: what `rust_decimal` holds without rounding.
pub const DIGITS_MAX: u32 = 28;

/// A quantity of one currency in major units: exact, never negative, and written one way only
/// (`49.90` and `49.9` are the same amount, written `49.9`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Decimal);

/// Why a text is not an [`Amount`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number: a sign, a blank, a letter, an empty text.
    #[error("`{0}` {what}", what = self.what())]
    Syntax(String),
    /// More digits than can be held exactly.
    #[error("`{0}` {what}", what = self.what())]
    TooLong(String),
}

impl AmountError {
    /// What is wrong, without the text: that may be nobody's business.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "is not a decimal number without a sign, such as 49.90",
            Self::TooLong(_) => "has more than 28 digits and cannot be held exactly",
        }
    }
}

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The value, for a store that has decimals of its own.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// Takes a stored value back; `None` if it is negative or has more than 28 digits.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        let is_amount = !value.is_sign_negative() || value.is_zero();
        (is_amount && is_readable(value)).then(|| Self(value.abs().normalize()))
    }

    /// The exact sum; `None` if it does not fit into 28 digits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        exact_sum(self.0, other.0).map(|sum| Self(sum.normalize()))
    }

    /// `self - other` where that is positive, else zero; `None` if it does not fit into 28 digits.
    #[must_use]
    pub fn above(self, other: Self) -> Option<Self> {
        if self <= other {
            return Some(Self::ZERO);
        }
        exact_sum(self.0, -other.0).map(|rest| Self(rest.normalize()))
    }

    /// This many minor units, in major ones: `1050` with two digits is `10.5`. `None` if it does not fit
    /// into 28 digits behind the point.
    #[must_use]
    pub fn of_minor(self, digits: u32) -> Option<Self> {
        let scale = self.0.scale().checked_add(digits).filter(|scale| *scale <= DIGITS_MAX)?;
        let value = Decimal::try_from_i128_with_scale(self.0.mantissa(), scale).ok()?;
        Some(Self(value.normalize()))
    }

    /// Whether there is any money.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

/// `a + b`, or `None` where the result would have to be rounded: `rust_decimal` rounds silently when
/// the digits of a sum do not fit, and shows it only by a smaller scale.
pub(crate) fn exact_sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let sum = a.checked_add(b)?;
    let is_exact = a.is_zero() || b.is_zero() || sum.scale() == a.scale().max(b.scale());
    (is_exact && is_readable(sum)).then_some(sum)
}

/// Whether a value can be written and read back: `rust_decimal` holds some values of 29 digits.
fn is_readable(value: Decimal) -> bool {
    value.normalize().mantissa().unsigned_abs() < 10_u128.pow(DIGITS_MAX)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a JSON number literal or a decimal text. An exponent is moved into the digits, never into a
/// float: `1.5e2` is 150, `1e400` is too long.
impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let syntax = || AmountError::Syntax(shorten(text));
        let too_long = || AmountError::TooLong(shorten(text));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if !is_digits(digits) {
                    return Err(syntax());
                }
                (mantissa, exponent.parse::<i32>().map_err(|_| too_long())?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return Err(syntax()),
            None => (mantissa, ""),
        };
        if !is_digits(whole) {
            return Err(syntax());
        }
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let fraction_len = i32::try_from(fraction.len()).map_err(|_| too_long())?;
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Ok(Self::ZERO);
        }
        let dropped = i32::try_from(digits.len() - kept.len()).map_err(|_| too_long())?;
        // The value is kept * 10^shift.
        let shift = exponent
            .checked_sub(fraction_len)
            .and_then(|shift| shift.checked_add(dropped))
            .ok_or_else(too_long)?;
        let places = shift.unsigned_abs();
        let fits = kept.len() <= DIGITS_MAX as usize
            && places <= DIGITS_MAX
            && (shift <= 0 || kept.len() + places as usize <= DIGITS_MAX as usize);
        if !fits {
            return Err(too_long());
        }
        let unscaled: i128 = kept.parse().map_err(|_| too_long())?;
        let value = if shift >= 0 {
            Decimal::try_from_i128_with_scale(unscaled * 10_i128.pow(places), 0)
        } else {
            Decimal::try_from_i128_with_scale(unscaled, places)
        };
        value.map(|value| Self(value.normalize())).map_err(|_| too_long())
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A currency code: fiat (ISO 4217) or a provider's own code for a crypto asset. Opaque, but for
/// case: providers write `usdt`, people write `USDT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Currency(String);

/// A text that cannot be a currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency code: 1 to 16 letters, digits, `.`, `_` or `-`")]
pub struct CurrencyError(String);

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let fits = (1..=16).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits { Ok(Self(text.to_ascii_uppercase())) } else { Err(CurrencyError(shorten(text))) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect(text)
    }

    #[test]
    fn one_amount_is_written_one_way() {
        for (text, written) in [
            ("49.90", "49.9"),
            ("0", "0"),
            ("000.00", "0"),
            ("007", "7"),
            ("1e2", "100"),
            ("1.5E+2", "150"),
            ("12e-3", "0.012"),
            ("0e999", "0"),
            ("0.00103988", "0.00103988"),
            ("9007199254740993", "9007199254740993"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1234567890123456789012345678", "1234567890123456789012345678"),
            ("10000000000000000000000000000e-1", "1000000000000000000000000000"),
        ] {
            assert_eq!(amount(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused() {
        for text in [
            "", "-1", "-0", "+1", " 1", "1 ", "1_000", "1,5", ".5", "5.", "1e", "1e+", "NaN", "0x1",
        ] {
            assert!(matches!(text.parse::<Amount>(), Err(AmountError::Syntax(_))), "{text}");
        }
        for text in ["1e400", "1e-400", "12345678901234567890123456789", "1e99999999999"] {
            assert!(matches!(text.parse::<Amount>(), Err(AmountError::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn a_sum_is_exact_or_nothing() {
        assert_eq!(amount("0.1").plus(amount("0.2")), Some(amount("0.3")));
        assert_eq!(amount("9999999999999999999999999999").plus(amount("0.1")), None);
        assert_eq!(amount("9999999999999999999999999999").plus(amount("1")), None);
        assert_eq!(
            amount("9999999999999999999999999999").plus(amount("0")),
            Some(amount("9999999999999999999999999999"))
        );
        assert_eq!(amount("100").above(amount("98.5")), Some(amount("1.5")));
        assert_eq!(amount("1").above(amount("2")), Some(Amount::ZERO));
        assert_eq!(amount("1000000000000000000000000000").above(amount("0.000000001")), None);
    }

    #[test]
    fn currencies_differ_in_more_than_case() {
        assert_eq!("usdt".parse::<Currency>(), "USDT".parse());
        for text in ["", "US D", "€", "ABCDEFGHIJKLMNOPQ"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }
}
