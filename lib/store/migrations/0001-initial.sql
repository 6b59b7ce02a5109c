-- Everything the center keeps. Times are the center's clock (given by the center, not now(), so that one clock rules).

create table admin_token (
  name text primary key,
  hash text not null unique,
  created_at timestamptz not null
);

create table host (
  name text primary key,
  created_at timestamptz not null,
  enrolled_at timestamptz,
  last_seen_at timestamptz,
  software text,
  kernel text,
  driver text,
  certificate_ends_at timestamptz,
  held_revision bigint,
  held_digest text,
  drift integer not null default 0,
  rss_bytes bigint,
  -- the agent's spool and the last of its reports stored: a report sent again after a break is known by its number
  stream text,
  last_seq bigint not null default 0
);

create table enrolment_token (
  hash text primary key,
  host text not null references host on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);

-- what a host reports of its own VMs. Two hosts may claim one VM while it moves: the later claim counts
create table vm (
  host text not null references host on delete cascade,
  uuid text not null,
  name text not null,
  tenant text,
  labels jsonb not null,
  endpoints jsonb not null,
  claimed_at timestamptz not null,
  seen_at timestamptz not null,
  primary key (host, uuid)
);
create index vm_uuid on vm (uuid);

-- the center's word over it; kept while the VM is away
create table vm_override (
  uuid text primary key,
  tenant text,
  labels jsonb not null default '{}',
  addresses jsonb not null default '{}',
  updated_at timestamptz not null
);

create table endpoint_status (
  host text not null references host on delete cascade,
  endpoint text not null,
  vm_name text not null,
  device text,
  state text not null check (state in ('enforced', 'closed')),
  reason text,
  seen_at timestamptz not null,
  primary key (host, endpoint)
);

create table policy_text (
  digest text primary key,
  file text not null,
  body text not null
);

create table policy_draft (
  singleton boolean primary key default true check (singleton),
  digest text not null references policy_text,
  stored_at timestamptz not null,
  stored_by text not null
);

create table publication (
  revision bigint primary key check (revision > 0),
  cause text not null check (cause in ('publish', 'inventory')),
  policy_digest text not null references policy_text,
  published_at timestamptz not null,
  published_by text not null
);

-- revisions never go back: a publication is the next one, is never changed, and is never removed
create function publication_only_grows() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    raise exception 'a publication is never changed or removed' using errcode = '23514', constraint = 'publication_only_grows';
  end if;
  if new.revision <> coalesce((select max(revision) from publication), 0) + 1 then
    raise exception 'revision % is not the next one', new.revision using errcode = '23514', constraint = 'publication_only_grows';
  end if;
  return new;
end $$;
create trigger publication_only_grows before insert or update or delete on publication
  for each row execute function publication_only_grows();

-- texts of plans' sections by their SHA-256: what hosts share is stored once
create table plan_section (
  digest text primary key,
  body text not null
);

-- a host's plan at the revision that made it; a host whose plan a revision leaves as it was has no row of that revision
create table host_plan (
  host text not null references host on delete cascade,
  revision bigint not null references publication,
  digest text not null,
  -- digests of its sections in the plan's own order; null once a later plan has taken its place
  sections text[],
  announced_at timestamptz,
  fetched_at timestamptz,
  result_at timestamptz,
  outcome text check (outcome in ('applied', 'refused', 'failed')),
  reason text,
  applied_in_ms double precision,
  primary key (host, revision)
);

-- counts of a rule at a host: base holds what earlier lives of the host's counters reached, last what the present one says
create table rule_counter (
  host text not null,
  rule text not null,
  base_packets bigint not null default 0,
  base_bytes bigint not null default 0,
  base_hits bigint not null default 0,
  last_packets bigint not null,
  last_bytes bigint not null,
  last_hits bigint not null,
  hit_at timestamptz,
  primary key (host, rule)
);

create table flow (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  received_at timestamptz not null,
  host text not null,
  kind text not null check (kind in ('drop', 'flow-start', 'flow-end')),
  endpoint text not null,
  vm_name text,
  tenant text,
  direction text not null,
  action text not null,
  reason text,
  rule text,
  source inet,
  destination inet,
  protocol integer,
  source_port integer,
  destination_port integer,
  source_mac text,
  packets bigint not null,
  bytes bigint not null,
  suppressed bigint not null
);
create index flow_received on flow using brin (received_at);
create index flow_endpoint on flow (endpoint, id);
create index flow_rule on flow (rule, id);

create table event (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  received_at timestamptz not null,
  host text,
  kind text not null,
  endpoint text,
  message text not null
);
create index event_received on event using brin (received_at);

create table audit_record (
  id bigint primary key,
  at timestamptz not null,
  who text not null,
  action text not null,
  target text not null,
  outcome text not null,
  hash text not null
);
