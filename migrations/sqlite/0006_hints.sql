-- Hints; see the other dialect's file for what each column means.
create table hints (
    source text not null,
    order_id text not null,
    order_key blob,
    names text not null,
    hinted_at integer not null,
    tries integer not null default 0,
    token blob,
    lease_until integer,
    primary key (source, order_id)
) strict, without rowid;

create index hints_by_age on hints (hinted_at);
create index hints_of_source on hints (source, hinted_at);
create index hints_of_strangers on hints (source, hinted_at) where order_key is null;
create index hints_by_order on hints (order_key) where order_key is not null;

alter table budgets add column hint_tokens_micro integer not null default 0;

alter table orders add column ask_hinted integer not null default 0;

create index event_bodies_of_hints on event_bodies (received_at) where verdict = 'hint';
