-- Where each source's feed is read. A page is one replica's at a time; what it said is on the queue and
-- confirmed before the row says what comes after it.
create table feeds (
    source text collate "C" not null primary key,
    -- what the last page said about the next one; null at the beginning
    cursor text,
    -- where the last page of the round was asked for that had anything on it
    filled_cursor text,
    -- between which times the round asks; between rounds, until when the last one did
    window_from timestamptz,
    window_until timestamptz,
    -- since when a round is under way; null between rounds
    round_at timestamptz,
    -- how many pages were read since the last pause, and how often the row has moved
    pages bigint not null default 0,
    moves bigint not null default 0,
    -- where earlier rounds ended, to begin from what was read before: [{"cursor", "before", "at"}]
    trail json not null default '[]',
    -- when to read next, and who does: nobody else does before the lease is over, by the database's clock
    next_at timestamptz not null,
    lease_until timestamptz,
    token uuid,
    -- when the last round began that was read to its end
    read_at timestamptz not null,
    -- how often in a row nothing came of it, and what came of it last
    failures bigint not null default 0,
    outcome text
);
