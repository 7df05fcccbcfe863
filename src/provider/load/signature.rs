//! Checks and compiles how something is signed.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::Found;
use super::preset::{PRESETS, preset};
use super::signature_places::{Where, check_list, load_place, load_stamp};
use crate::mistake::nearest;
use crate::provider::Format;
use crate::provider::Trust;
use crate::provider::json::Pointer;
use crate::provider::signature::encoding::Encoding;
use crate::provider::signature::fields::SortedFields;
use crate::provider::signature::mac::Hash;
use crate::provider::signature::{
    KeyEncoding, KeyForm, Piece, Place, Scheme, Signature, SignedText,
};
use crate::provider::table::{
    Key, MissingWord, PlaceTable, SchemeWord, SignatureTable, SortedFieldsTable,
};

/// What is signed.
#[derive(Clone, Copy)]
pub(crate) enum Signs<'a> {
    /// Callbacks: of a form, and with what decides at these places.
    Callbacks { format: Format, deciding: &'a [Pointer] },
    /// Answers to our questions: they have headers and a body, and no time of ours.
    Answers { deciding: &'a [Pointer] },
    /// Our own requests.
    Requests,
}

impl Signs<'_> {
    pub(super) fn format(self) -> Format {
        match self {
            Self::Callbacks { format, .. } => format,
            Self::Answers { .. } | Self::Requests => Format::Json,
        }
    }
}

/// Compiles a description. `span` is its place; keys have their own.
pub(crate) fn load_signature(
    table: &Spanned<SignatureTable>,
    signs: Signs<'_>,
    found: &mut Found,
) -> Option<Signature> {
    let before = found.mistakes.len();
    let span = table.span();
    let table = expand(table.get_ref().clone(), found)?;
    let Some(scheme) = table.scheme.as_ref().map(|scheme| *scheme.get_ref()) else {
        let what = "say how it is signed: scheme = \"hmac\", \"rsa_sha256\", \"ed25519\", \"token\", \
                    \"basic\" or \"none\"; or a preset";
        found.at(span, what);
        return None;
    };
    check_used(&table, scheme, signs, found);
    let sender = |scheme, place| Signature {
        scheme,
        place,
        prefix: text(&table.prefix),
        is_optional: is_optional(&table),
        format: signs.format(),
        trust: Trust::Claims,
        ..Signature::none()
    };
    let signature = match scheme {
        SchemeWord::None => Some(Signature::none()),
        SchemeWord::Basic => Some(sender(Scheme::Basic, Place::Header("authorization".to_owned()))),
        SchemeWord::Token => load_own_place(&table, &span, signs.format(), found)
            .map(|place| sender(Scheme::Token, place)),
        SchemeWord::Hmac => {
            let hash = load_hash(&table, &span, found);
            load_signed(&table, Scheme::Hmac(hash), &span, signs, found)
        }
        SchemeWord::RsaSha256 => load_signed(&table, Scheme::RsaSha256, &span, signs, found),
        SchemeWord::Ed25519 => load_signed(&table, Scheme::Ed25519, &span, signs, found),
    };
    if let Some(signature) = &signature {
        check_signs(signature, signs, &span, found);
    }
    signature.filter(|_| found.mistakes.len() == before)
}

/// Lays a table over the preset that it names.
fn expand(table: SignatureTable, found: &mut Found) -> Option<SignatureTable> {
    let Some(named) = table.preset.clone() else { return Some(table) };
    let scheme = table.scheme.as_ref().map(|scheme| *scheme.get_ref());
    if let Some(under) = preset(named.get_ref(), scheme, &named.span()) {
        return Some(table.over(under));
    }
    let near = nearest(named.get_ref(), PRESETS);
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let all = || format!("write one of {}", PRESETS.join(", "));
    let what = format!("there is no preset `{}`: {}", named.get_ref(), hint.unwrap_or_else(all));
    found.at(named.span(), what);
    None
}

/// A key that does nothing is a key that its author believes does something.
fn check_used(table: &SignatureTable, scheme: SchemeWord, signs: Signs<'_>, found: &mut Found) {
    use SchemeWord as S;
    let is_signed = matches!(scheme, S::Hmac | S::RsaSha256 | S::Ed25519);
    let is_placed = is_signed || scheme == S::Token;
    let keys = [
        ("hash", table.hash.as_ref().map(Spanned::span), scheme == S::Hmac),
        ("header", table.header.as_ref().map(Spanned::span), is_placed),
        ("at", table.at.as_ref().map(Spanned::span), is_placed),
        ("query", table.query.as_ref().map(Spanned::span), is_placed),
        ("prefix", table.prefix.as_ref().map(Spanned::span), is_placed),
        ("encoding", table.encoding.as_ref().map(Spanned::span), is_signed),
        ("key", table.key.as_ref().map(Spanned::span), is_signed),
        ("key_prefix", table.key_prefix.as_ref().map(Spanned::span), is_signed),
        ("signed", table.signed.as_ref().map(Spanned::span), is_signed),
        ("sorted_fields", table.sorted_fields.as_ref().map(Spanned::span), is_signed),
        ("list", table.list.as_ref().map(Spanned::span), is_signed),
        ("timestamp", table.timestamp.as_ref().map(Spanned::span), is_signed),
        ("id", table.id.as_ref().map(Spanned::span), is_signed),
        ("key_id", table.key_id.as_ref().map(Spanned::span), is_signed),
        ("missing", table.missing.as_ref().map(Spanned::span), scheme != S::None),
    ];
    for (name, span, is_used) in keys {
        if let Some(span) = span.filter(|_| !is_used) {
            found.at(span, format!("`{name}` says nothing about this scheme: remove it"));
        }
    }
    let is_callback = matches!(signs, Signs::Callbacks { .. });
    if let Some(missing) = table.missing.as_ref().filter(|_| !is_callback) {
        found.at(missing.span(), "only a callback can be a hint: remove `missing`");
    }
}

fn load_hash(table: &SignatureTable, span: &Range<usize>, found: &mut Found) -> Hash {
    if table.hash.is_none() {
        found.at(span.clone(), "say which hash: hash = \"sha256\", \"sha512\" or \"sha1\"");
    }
    table.hash.as_ref().map_or(Hash::Sha256, |hash| *hash.get_ref())
}

/// A signature of a text.
fn load_signed(
    table: &SignatureTable,
    scheme: Scheme,
    span: &Range<usize>,
    signs: Signs<'_>,
    found: &mut Found,
) -> Option<Signature> {
    let format = signs.format();
    if table.encoding.is_none() {
        let what =
            "say how the signature is written: encoding = \"hex\", \"base64\" or \"base64url\"";
        found.at(span.clone(), what);
    }
    let place = load_own_place(table, span, format, found);
    let key = load_key(table, scheme, found);
    let signed = match &table.signed {
        None => Some(SignedText::body()),
        Some(signed) => found.parse(signed.get_ref(), signed.span()),
    };
    let list = table.list.as_ref();
    let list = list.and_then(|list| check_list(list.get_ref(), &list.span(), found));
    let listed = table.list.as_ref().map(Spanned::get_ref);
    let stamp = load_stamp(
        table.timestamp.as_ref(),
        listed.and_then(|list| list.timestamp.as_deref()),
        span,
        format,
        found,
    );
    let mut find = |key: &Key<PlaceTable>, name: &str, listed: Option<&String>| {
        let (given, span) = match key {
            Some(given) => (Some(given.get_ref()), given.span()),
            None => (None, span.clone()),
        };
        let wanted = Where { name, span, format };
        load_place(given, listed.map(String::as_str), &wanted, found)
    };
    let id = find(&table.id, "id", listed.and_then(|list| list.id.as_ref()));
    let key_id = find(&table.key_id, "key_id", listed.and_then(|list| list.key_id.as_ref()));
    let signature = Signature {
        scheme,
        place: place?,
        prefix: text(&table.prefix),
        list,
        encoding: table.encoding.as_ref().map_or(Encoding::Hex, |encoding| *encoding.get_ref()),
        key,
        signed: signed?,
        sorted: load_sorted(table.sorted_fields.as_ref().map(Spanned::get_ref)),
        stamp,
        id,
        key_id,
        is_optional: is_optional(table),
        format,
        trust: Trust::Hint,
    };
    check_signed(&signature, table, span, found);
    Some(with_trust(signature, signs))
}

/// What decides must lie inside of what is signed, in one way only, or all of it is a hint.
fn with_trust(signature: Signature, signs: Signs<'_>) -> Signature {
    let deciding = match signs {
        Signs::Callbacks { deciding, .. } | Signs::Answers { deciding } => deciding,
        Signs::Requests => &[],
    };
    let is_bound =
        !signature.signed.is_ambiguous() && deciding.iter().all(|at| signature.covers(at));
    Signature { trust: if is_bound { Trust::Claims } else { Trust::Hint }, ..signature }
}

/// What is signed fits what is described, and the other way round.
fn check_signed(
    signature: &Signature,
    table: &SignatureTable,
    span: &Range<usize>,
    found: &mut Found,
) {
    let signed = &signature.signed;
    let at = table.signed.as_ref().map_or(span.clone(), Spanned::span);
    let bodies = signed.pieces().iter();
    let bodies = bodies.filter(|piece| matches!(piece, Piece::Body | Piece::SortedFields)).count();
    if bodies > 1 {
        found.at(at.clone(), "{body} or {sorted_fields} stands once at most");
    }
    if signed.has(&Piece::Body) && matches!(signature.place, Place::Field(_)) {
        let what = "a signature in the body cannot be of the whole body: write signed with \
                    {field:/...} or {sorted_fields}";
        found.at(at.clone(), what);
    }
    // Where one was said and is wrong, that has been found already.
    let listed = table.list.as_ref().map(Spanned::get_ref);
    let says_time =
        table.timestamp.is_some() || listed.is_some_and(|list| list.timestamp.is_some());
    let says_id = table.id.is_some() || listed.is_some_and(|list| list.id.is_some());
    if signed.has(&Piece::Timestamp) && !says_time {
        let what = "{timestamp} is signed, and nothing says where it is: add timestamp = { header = \
                    \"...\" }, or to list: timestamp = \"t\"";
        found.at(at.clone(), what);
    }
    if signed.has(&Piece::Id) && !says_id {
        let what = "{id} is signed, and nothing says where it is: add id = { header = \"...\" }";
        found.at(at.clone(), what);
    }
    if signature.id.is_some() && !signed.has(&Piece::Id) {
        let at = table.id.as_ref().map_or(at.clone(), Spanned::span);
        found.at(at, "`id` is not part of what is signed: add {id} to signed, or remove id");
    }
    if let Some(sorted) = &table.sorted_fields
        && !signed.has(&Piece::SortedFields)
    {
        let what = "`sorted_fields` is not part of what is signed: add {sorted_fields} to signed";
        found.at(sorted.span(), what);
    }
    if let Some(stamp) = &signature.stamp {
        let is_signed = match &stamp.place {
            Place::Field(place) => signature.covers(place),
            Place::Header(_) | Place::Query(_) | Place::Listed(_) => false,
        };
        if !is_signed && !signed.has(&Piece::Timestamp) {
            let what = "the timestamp is not part of what is signed, so anybody could make it new: add \
                        {timestamp} to signed, such as signed = \"{timestamp}.{body}\"";
            found.at(at.clone(), what);
        }
    }
    let is_inner = |piece: &Piece| matches!(piece, Piece::Field(at) if at.name().is_none());
    if signature.format == Format::Form && signed.pieces().iter().any(is_inner) {
        found.at(at, "a form has no inner fields: write {field:/name}");
    }
}

/// What can be signed, of what there is.
fn check_signs(signature: &Signature, signs: Signs<'_>, span: &Range<usize>, found: &mut Found) {
    let has = |pieces: &[Piece]| pieces.iter().any(|piece| signature.signed.has(piece));
    let of_request = [Piece::Method, Piece::Url, Piece::Path];
    match signs {
        Signs::Callbacks { .. } => {}
        Signs::Answers { .. } => {
            let is_query = matches!(signature.place, Place::Query(_));
            if is_query || signature.stamp.is_some() || has(&of_request) {
                let what = "an answer has headers and a body, and nothing else that can be signed or \
                            looked at";
                found.at(span.clone(), what);
            } else if signature.trust != Trust::Claims || signature.is_of_sender_only() {
                let what = "an answer is believed: what it says must be inside of what is signed, \
                            such as {body}";
                found.at(span.clone(), what);
            }
        }
        Signs::Requests => {
            let is_hmac = matches!(signature.scheme, Scheme::Hmac(_));
            if !is_hmac || !matches!(signature.place, Place::Header(_)) {
                found.at(
                    span.clone(),
                    "our requests are signed with scheme = \"hmac\", in a header",
                );
            } else if signature.key_id.is_some() {
                let what = "the name of our key is a header like any other: write it into headers, such \
                            as X-Key = \"{key_id}\", and remove key_id";
                found.at(span.clone(), what);
            }
        }
    }
}

fn load_own_place(
    table: &SignatureTable,
    span: &Range<usize>,
    format: Format,
    found: &mut Found,
) -> Option<Place> {
    let text = |key: &Key<String>| key.as_ref().map(|text| text.get_ref().clone());
    let place =
        PlaceTable { header: text(&table.header), at: text(&table.at), query: text(&table.query) };
    let given = [&table.header, &table.at, &table.query].into_iter().flatten().next();
    let span = given.map_or(span.clone(), Spanned::span);
    load_place(Some(&place), None, &Where { name: "the signature", span, format }, found)
}

fn load_key(table: &SignatureTable, scheme: Scheme, found: &mut Found) -> KeyForm {
    let is_public = !matches!(scheme, Scheme::Hmac(_));
    let default = if is_public { KeyEncoding::Pem } else { KeyEncoding::Text };
    let encoding = table.key.as_ref().map_or(default, |key| *key.get_ref());
    if let Some(key) = &table.key {
        if is_public && encoding == KeyEncoding::Text {
            let what = "a public key is no plain text: write key = \"pem\", \"base64\" or \"hex\"";
            found.at(key.span(), what);
        }
        if !is_public && encoding == KeyEncoding::Pem {
            let what = "an HMAC has no public key: write key = \"text\", \"base64\" or \"hex\"";
            found.at(key.span(), what);
        }
    }
    if let Some(prefix) = table.key_prefix.as_ref().filter(|_| encoding == KeyEncoding::Pem) {
        found.at(prefix.span(), "PEM has no prefix: remove key_prefix");
    }
    KeyForm { encoding, prefix: text(&table.key_prefix) }
}

fn load_sorted(given: Option<&SortedFieldsTable>) -> SortedFields {
    let default = SortedFields::default();
    let Some(given) = given else { return default };
    SortedFields {
        pair: given.pair.clone().unwrap_or(default.pair),
        join: given.join.clone().unwrap_or(default.join),
        skip_empty: given.skip_empty.unwrap_or(default.skip_empty),
        names: given.names.unwrap_or(default.names),
        without: given.without.clone(),
    }
}

fn is_optional(table: &SignatureTable) -> bool {
    table.missing.as_ref().is_some_and(|missing| *missing.get_ref() == MissingWord::Hint)
}

fn text(key: &Key<String>) -> String {
    key.as_ref().map(|text| text.get_ref().clone()).unwrap_or_default()
}

/// How far a time of signing may be from ours, at most: longer is no protection.
pub(super) const TOLERANCE_MAX: Duration = Duration::from_secs(604_800);
