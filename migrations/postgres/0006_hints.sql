-- Hints: callbacks that nobody vouches for. They say of which order there may be news, and are a reason to
-- ask about it; nothing that they say is believed. Several about one order are one row, until it was asked
-- about.
create table hints (
    source text collate "C" not null,
    -- of an order that is known, the first of its ids; else what the hint says
    order_id text collate "C" not null,
    -- the order, if it was known; by its id it is found also when it became known, or another one, later
    order_key uuid,
    -- if it was not: by which ids the provider can be asked, and whose each is
    names json not null,
    -- by the database's clock; the last one that came while it was being asked about
    hinted_at timestamptz not null,
    -- how often it was asked about because of this; counted before each
    tries bigint not null default 0,
    -- who asks because of it, and until when nobody else does, nor this one again
    token uuid,
    lease_until timestamptz,
    primary key (source, order_id)
);

create index hints_by_age on hints (hinted_at);
create index hints_of_source on hints (source, hinted_at);
create index hints_of_strangers on hints (source, hinted_at) where order_key is null;
create index hints_by_order on hints (order_key) where order_key is not null;

-- How many hints may still be followed: a bucket of its own, which is filled when the other one is.
alter table budgets add column hint_tokens_micro bigint not null default 0;

-- The last ask was because of a hint, and its answer is not there yet: it counts for no horizon, and
-- changes no delay.
alter table orders add column ask_hinted boolean not null default false;

-- What a hint is settled by is small, and goes after a day.
create index event_bodies_of_hints on event_bodies (received_at) where verdict = 'hint';
