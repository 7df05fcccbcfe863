-- Asking providers; see the other dialect's file for what each column means.
alter table orders add column ask_phase text not null default 'open';
alter table orders add column ask_step integer not null default 0;
alter table orders add column ask_answers integer not null default 0;
alter table orders add column next_ask_at integer;
alter table orders add column asked_at integer;
alter table orders add column ask_lease_until integer;
alter table orders add column ask_token blob;
alter table orders add column ask_wanted integer not null default 0;
alter table orders add column ask_outcome text;
alter table orders add column silent_status text;
alter table orders add column silent_since integer;
alter table orders add column is_missed integer not null default 0;

update orders set next_ask_at = updated_at where not is_final;

create index orders_to_ask_fresh on orders (source, next_ask_at)
    where next_ask_at is not null and ask_step < 4;
create index orders_to_ask_old on orders (source, next_ask_at)
    where next_ask_at is not null and ask_step >= 4;
create index orders_silent on orders (source, silent_since)
    where silent_since is not null and not is_missed;
create index orders_open on orders (source, created_at) where not is_final;

create table budgets (
    source text not null primary key,
    tokens_micro integer not null,
    filled_at integer not null,
    turn integer not null default 0,
    said_until integer,
    paused_at integer,
    paused_until integer,
    pause_reason text,
    failures integer not null default 0,
    failed_key blob
) strict;
