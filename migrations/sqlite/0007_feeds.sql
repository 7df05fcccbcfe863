-- Where each source's feed is read; see the other dialect's file for what each column means.
create table feeds (
    source text not null primary key,
    cursor text,
    filled_cursor text,
    window_from integer,
    window_until integer,
    round_at integer,
    pages integer not null default 0,
    moves integer not null default 0,
    trail text not null default '[]',
    next_at integer not null,
    lease_until integer,
    token blob,
    read_at integer not null,
    failures integer not null default 0,
    outcome text
) strict, without rowid;
