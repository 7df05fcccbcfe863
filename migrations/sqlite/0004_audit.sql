-- What people did; see the other dialect's file for what each column means.
create table audit_log (
    id blob not null primary key,
    at integer not null,
    who text not null,
    what text not null,
    subject text not null,
    detail text not null
) strict, without rowid;

create index audit_log_by_subject on audit_log (subject, id);

alter table dead_letters add column dropped_at integer;
