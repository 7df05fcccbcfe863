-- What leaves: every change and every effect of an order, as notices, written in the transaction that moved
-- the order.

-- how many notices an order has: the next one follows on
alter table orders add column notice_count bigint not null default 0;

-- No reference to orders: when an order turns out to be another one, its notices stay under the key that
-- they name, and are delivered first.
create table outbox (
    order_key uuid not null,
    -- in which order the notices of one order are delivered
    seq bigint not null,
    -- its identity, which never changes
    id uuid not null,
    source text collate "C" not null,
    type text collate "C" not null,
    -- CloudEvents, byte for byte as it is sent
    body text not null,
    at timestamptz not null,
    primary key (order_key, seq)
);

-- Where notices go. Known here, and not only in a file, so that every worker writes for all of them.
create table sinks (
    name text collate "C" not null primary key,
    -- which notices it gets: lists of patterns
    sources json not null,
    types json not null,
    -- a digest of where it goes: another place is not disabled because this one was
    place text collate "C" not null,
    since timestamptz not null,
    -- when a process last said that it has it in its configuration
    seen_at timestamptz not null,
    -- when it last took something
    taken_at timestamptz,
    -- it said that it is gone: nothing is delivered until a person says otherwise
    disabled_at timestamptz,
    disabled_reason text
);

-- What of one order waits for one sink. Whoever delivers has a lease on the line, and so on the order of
-- what is in it: a later notice never leaves before an earlier one. There is no number that counts up over
-- all orders, which a slow transaction could fall behind.
create table sink_lines (
    sink text collate "C" not null,
    order_key uuid not null,
    -- of the order's notices, the last that was taken or passed over, and the last that is for this sink
    done_seq bigint not null,
    last_seq bigint not null,
    -- since when the oldest that is not done waits
    waits_since timestamptz not null,
    -- not before this time; while somebody delivers, nobody else does; by the database's clock
    due_at timestamptz not null,
    token uuid,
    -- how often in a row the oldest was tried in vain, since when, and what came of it last
    tries bigint not null default 0,
    failing_since timestamptz,
    reason text,
    -- when it was given up, until a person says otherwise
    stopped_at timestamptz,
    primary key (sink, order_key)
);

create index sink_lines_due on sink_lines (sink, due_at)
    where done_seq < last_seq and stopped_at is null;
create index sink_lines_waiting on sink_lines (sink, waits_since) where done_seq < last_seq;
create index sink_lines_by_order on sink_lines (order_key);

-- Orders that turned out to be others: what is left of the one is delivered before what follows.
create table order_merges (
    into_key uuid not null,
    from_key uuid not null,
    primary key (into_key, from_key)
);
