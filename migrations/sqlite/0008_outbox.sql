-- What leaves; see the other dialect's file for what each column means.
alter table orders add column notice_count integer not null default 0;

create table outbox (
    order_key blob not null,
    seq integer not null,
    id blob not null,
    source text not null,
    type text not null,
    body text not null,
    at integer not null,
    primary key (order_key, seq)
) strict, without rowid;

create table sinks (
    name text not null primary key,
    sources text not null,
    types text not null,
    place text not null,
    since integer not null,
    seen_at integer not null,
    taken_at integer,
    disabled_at integer,
    disabled_reason text
) strict, without rowid;

create table sink_lines (
    sink text not null,
    order_key blob not null,
    done_seq integer not null,
    last_seq integer not null,
    waits_since integer not null,
    due_at integer not null,
    token blob,
    tries integer not null default 0,
    failing_since integer,
    reason text,
    stopped_at integer,
    primary key (sink, order_key)
) strict, without rowid;

create index sink_lines_due on sink_lines (sink, due_at)
    where done_seq < last_seq and stopped_at is null;
create index sink_lines_waiting on sink_lines (sink, waits_since) where done_seq < last_seq;
create index sink_lines_by_order on sink_lines (order_key);

create table order_merges (
    into_key blob not null,
    from_key blob not null,
    primary key (into_key, from_key)
) strict, without rowid;
