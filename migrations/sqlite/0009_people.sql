-- What waits for a person, what waits longest first; see the other dialect's file.
create index attention_by_age on attention (since, order_key, key);

update orders set judge_at = updated_at where is_held and judge_at is null;
