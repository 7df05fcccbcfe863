-- Keys are UUIDv7, times are whole microseconds (what is finer was cut off at the edge: PostgreSQL would
-- round it), money is exact. What is compared is compared byte by byte: collate "C". State and report
-- are json and not jsonb: kept as they were written, and written faster. Raw bodies are bytes: text
-- cannot hold a NUL. Nothing here is a queue: rows stay, so that none are swept up again and again.

create table orders (
    -- immutable
    key uuid not null primary key,
    source text collate "C" not null,
    created_at timestamptz not null,
    -- the joined state, and how often it was written: a write names the version that it read
    version bigint not null,
    state json not null,
    -- how many events it has, and how many effects: the next of each follows on
    event_count bigint not null,
    effect_count bigint not null,
    -- what the state came to when it was last judged, for lists and filters
    kind text collate "C",
    status text collate "C",
    outcome text collate "C",
    is_final boolean not null,
    is_held boolean not null,
    attention_count bigint not null,
    updated_at timestamptz not null,
    -- when the order is to be judged again without news
    judge_at timestamptz
);

create index orders_by_source on orders (source, key);
create index orders_to_judge on orders (judge_at) where judge_at is not null;

-- Any id of an order finds it. Here, as in every table below, who adds a row holds the lock of the order
-- that it belongs to, or has just made it: checking the reference at the commit waits for nobody.
create table order_ids (
    source text collate "C" not null,
    id text collate "C" not null,
    order_key uuid not null references orders (key) deferrable initially deferred,
    role text collate "C" not null,
    primary key (source, id)
);

create index order_ids_by_order on order_ids (order_key);

-- What was reported, once an event: identity, verdict, reason.
create table events (
    order_key uuid not null references orders (key) deferrable initially deferred,
    event_id text collate "C" not null,
    -- in which order the events of an order were decided
    seq bigint not null,
    origin text collate "C" not null,
    verdict text collate "C" not null,
    reason text not null,
    -- what it said, normalised: a later definition can read it again
    report json not null,
    -- the payment head before and after, where it moved
    moved_from text collate "C",
    moved_to text collate "C",
    received_at timestamptz not null,
    decided_at timestamptz not null,
    -- deliveries beyond the first
    repeats bigint not null default 0,
    last_received_at timestamptz not null,
    primary key (order_key, event_id)
);

create index events_by_seq on events (order_key, seq);

-- Every accepted callback by its own id, so that one that the queue delivers again is settled and not
-- counted; and the original bytes, where they differ from those of the event's first delivery.
create table event_bodies (
    callback_id uuid not null,
    -- which report of it, counted from 0
    item bigint not null,
    order_key uuid not null,
    event_id text collate "C" not null,
    verdict text collate "C" not null,
    received_at timestamptz not null,
    body_sha256 bytea not null,
    body bytea,
    primary key (callback_id, item)
);

create index event_bodies_by_event on event_bodies (order_key, event_id);

-- The rises of counters, in the transaction that moved the order. The identity never changes.
create table effects (
    id uuid not null primary key,
    order_key uuid not null references orders (key) deferrable initially deferred,
    event_id text collate "C" not null,
    -- the order in which the effects of one order leave
    seq bigint not null,
    leg text collate "C" not null,
    counter text collate "C" not null,
    from_total numeric not null,
    to_total numeric not null,
    amount numeric not null,
    currency text collate "C" not null,
    issued_at timestamptz not null
);

create unique index effects_by_order on effects (order_key, seq);

-- What waits for a person.
create table attention (
    order_key uuid not null references orders (key) deferrable initially deferred,
    key text collate "C" not null,
    code text collate "C" not null,
    text text not null,
    since timestamptz not null,
    primary key (order_key, key)
);

create index attention_by_code on attention (code, since);

-- Accepted callbacks that could not be read or applied: the original bytes, and why.
create table dead_letters (
    callback_id uuid not null primary key,
    source text collate "C" not null,
    origin text collate "C" not null,
    headers json not null,
    body bytea not null,
    reason text not null,
    received_at timestamptz not null,
    died_at timestamptz not null
);
