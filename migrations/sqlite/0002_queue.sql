-- The embedded queue: callbacks that were accepted and are not settled yet.
create table queue_messages (
    id blob not null primary key,
    header text not null,
    body blob not null,
    -- not to be given out before: the end of a lease or of a delay
    available_at integer not null,
    -- given out, and neither settled nor given back
    is_leased integer not null default 0,
    -- how often it was given out
    attempt integer not null default 0
) strict, without rowid;

create index queue_messages_due on queue_messages (available_at);
