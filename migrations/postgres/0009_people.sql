-- What waits for a person, what waits longest first: a list goes on where it ended.
create index attention_by_age on attention (since, order_key, key);

-- What is held back already is judged once more: it may have waited for too long.
update orders set judge_at = updated_at where is_held and judge_at is null;
