-- Callbacks that two processes ended on, and that are now tried alone. A row is committed before each
-- attempt and goes with the verdict, so that it counts the attempts that ended the process, and an
-- outage of the store uses up none.
create table attempts (
    callback_id uuid not null primary key,
    -- attempts that were begun and not brought to their end
    count bigint not null,
    last_at timestamptz not null
);
