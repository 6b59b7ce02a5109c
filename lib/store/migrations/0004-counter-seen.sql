-- when a host last reported the counter: those of rules that are gone for long are let go
alter table rule_counter add column seen_at timestamptz not null default now();
