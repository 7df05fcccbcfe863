-- Asking providers. What is remembered of it is on the order, beside the joined state and not in it:
-- it says nothing about the order, only about us.

alter table orders
    -- at which pace it is asked about: open, unresolved, watched, closed
    add column ask_phase text collate "C" not null default 'open',
    -- how often it was asked about since a head moved, and how often that was answered
    add column ask_step bigint not null default 0,
    add column ask_answers bigint not null default 0,
    -- when it is to be asked about next; null is never
    add column next_ask_at timestamptz,
    add column asked_at timestamptz,
    -- who asks about it now: nobody else does before this time, by the database's clock; and whoever
    -- does not hold the token any more changes nothing
    add column ask_lease_until timestamptz,
    add column ask_token uuid,
    -- somebody waits for an answer, which then counts for no horizon
    add column ask_wanted boolean not null default false,
    -- what came of the last ask, for people
    add column ask_outcome text,
    -- an answer had this status before any callback had, since when; and whether the sender's own
    -- retries have ended meanwhile
    add column silent_status text collate "C",
    add column silent_since timestamptz,
    add column is_missed boolean not null default false;

update orders set next_ask_at = updated_at where not is_final;

-- Fresh orders go first, and a fifth of all asks is kept for old ones: an index for each.
create index orders_to_ask_fresh on orders (source, next_ask_at)
    where next_ask_at is not null and ask_step < 4;
create index orders_to_ask_old on orders (source, next_ask_at)
    where next_ask_at is not null and ask_step >= 4;
create index orders_silent on orders (source, silent_since)
    where silent_since is not null and not is_missed;
create index orders_open on orders (source, created_at) where not is_final;

-- How often each source may be asked, shared by all who ask: a bucket of tokens, a pause, and how many
-- orders in a row brought no information.
create table budgets (
    source text collate "C" not null primary key,
    -- millionths of a request, at that time
    tokens_micro bigint not null,
    filled_at timestamptz not null,
    -- how many were asked so far: every fifth is for an old order
    turn bigint not null default 0,
    -- what the provider said itself, in Retry-After
    said_until timestamptz,
    -- after several orders that brought no information, since when and until when
    paused_at timestamptz,
    paused_until timestamptz,
    pause_reason text,
    failures bigint not null default 0,
    failed_key uuid
);
