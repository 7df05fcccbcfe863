-- Callbacks that two processes ended on; see the other dialect's file.
create table attempts (
    callback_id blob not null primary key,
    count integer not null,
    last_at integer not null
) strict, without rowid;
