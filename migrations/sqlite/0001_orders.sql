-- Keys are UUIDv7 as 16 bytes, times are microseconds since 1970 (UTC), money is canonical text: SQLite
-- has no exact decimals, and arithmetic is done elsewhere. Every table is STRICT: types are checked.

create table orders (
    -- immutable
    key blob not null primary key,
    source text not null,
    created_at integer not null,
    -- the joined state, and how often it was written: a write names the version that it read
    version integer not null,
    state text not null,
    -- how many events it has, and how many effects: the next of each follows on
    event_count integer not null,
    effect_count integer not null,
    -- what the state came to when it was last judged, for lists and filters
    kind text,
    status text,
    outcome text,
    is_final integer not null,
    is_held integer not null,
    attention_count integer not null,
    updated_at integer not null,
    -- when the order is to be judged again without news
    judge_at integer
) strict, without rowid;

create index orders_by_source on orders (source, key);
create index orders_to_judge on orders (judge_at) where judge_at is not null;

-- Any id of an order finds it.
create table order_ids (
    source text not null,
    id text not null,
    order_key blob not null references orders (key) deferrable initially deferred,
    role text not null,
    primary key (source, id)
) strict, without rowid;

create index order_ids_by_order on order_ids (order_key);

-- What was reported, once an event: identity, verdict, reason.
create table events (
    order_key blob not null references orders (key) deferrable initially deferred,
    event_id text not null,
    -- in which order the events of an order were decided
    seq integer not null,
    origin text not null,
    verdict text not null,
    reason text not null,
    -- what it said, normalised: a later definition can read it again
    report text not null,
    -- the payment head before and after, where it moved
    moved_from text,
    moved_to text,
    received_at integer not null,
    decided_at integer not null,
    -- deliveries beyond the first
    repeats integer not null default 0,
    last_received_at integer not null,
    primary key (order_key, event_id)
) strict, without rowid;

create index events_by_seq on events (order_key, seq);

-- Every accepted callback by its own id, so that one that the queue delivers again is settled and not
-- counted; and the original bytes, where they differ from those of the event's first delivery.
create table event_bodies (
    callback_id blob not null,
    -- which report of it, counted from 0
    item integer not null,
    order_key blob not null,
    event_id text not null,
    verdict text not null,
    received_at integer not null,
    body_sha256 blob not null,
    body blob,
    primary key (callback_id, item)
) strict, without rowid;

create index event_bodies_by_event on event_bodies (order_key, event_id);

-- The rises of counters, in the transaction that moved the order. The identity never changes.
create table effects (
    id blob not null primary key,
    order_key blob not null references orders (key) deferrable initially deferred,
    event_id text not null,
    -- the order in which the effects of one order leave
    seq integer not null,
    leg text not null,
    counter text not null,
    from_total text not null,
    to_total text not null,
    amount text not null,
    currency text not null,
    issued_at integer not null
) strict, without rowid;

create unique index effects_by_order on effects (order_key, seq);

-- What waits for a person.
create table attention (
    order_key blob not null references orders (key) deferrable initially deferred,
    key text not null,
    code text not null,
    text text not null,
    since integer not null,
    primary key (order_key, key)
) strict, without rowid;

create index attention_by_code on attention (code, since);

-- Accepted callbacks that could not be read or applied: the original bytes, and why.
create table dead_letters (
    callback_id blob not null primary key,
    source text not null,
    origin text not null,
    headers text not null,
    body blob not null,
    reason text not null,
    received_at integer not null,
    died_at integer not null
) strict, without rowid;
