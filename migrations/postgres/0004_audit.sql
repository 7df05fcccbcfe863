-- What people did, in the transaction that did it. Rows are added, never changed, never deleted.
create table audit_log (
    -- UUIDv7
    id uuid not null primary key,
    at timestamptz not null,
    -- who did it, by the name that they gave themselves
    who text not null,
    -- what was done, such as dead_letter.redrive
    what text collate "C" not null,
    -- to what: the id of a dead letter
    subject text collate "C" not null,
    -- why, what was there before, and what came of it
    detail json not null
);

create index audit_log_by_subject on audit_log (subject, id);

-- A letter that was dropped keeps its row, without its bytes: the queue may give its callback out again,
-- and must find that it is settled.
alter table dead_letters add column dropped_at timestamptz;
