//! How many digits of a currency are behind the point: what an amount in minor units must be divided by.

use crate::order::amount::Currency;

/// The exponent of a currency of ISO 4217 (list one, 2025). `None` for any other code, also of a crypto
/// asset, which every provider writes in units of its own: its definition must say.
#[must_use]
pub(super) fn iso_exponent(currency: &Currency) -> Option<u32> {
    let code = currency.to_string();
    let lists: [(&[&str], u32); 4] = [(&ZERO, 0), (&TWO, 2), (&THREE, 3), (&FOUR, 4)];
    lists.into_iter().find(|(list, _)| list.contains(&code.as_str())).map(|(_, digits)| digits)
}

const ZERO: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];

const TWO: [&str; 132] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY",
    "COP", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD",
    "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR",
    "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR",
    "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK",
    "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP",
    "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP",
    "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY",
    "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "VES", "WST", "XCD", "YER", "ZAR",
    "ZMW", "ZWG",
];

const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

const FOUR: [&str; 2] = ["CLF", "UYW"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_once_and_others_are_unknown() {
        let all = [&ZERO[..], &TWO, &THREE, &FOUR].concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let exponent = |code: &str| iso_exponent(&code.parse().expect("a code"));
        assert_eq!(exponent("eur"), Some(2));
        assert_eq!(exponent("JPY"), Some(0));
        assert_eq!(exponent("KWD"), Some(3));
        assert_eq!(exponent("CLF"), Some(4));
        assert_eq!((exponent("BTC"), exponent("USDT"), exponent("XAU")), (None, None, None));
    }
}
