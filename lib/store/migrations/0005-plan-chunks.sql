-- a plan's sections as lists of chunks, so that agents fetch by chunk and a changed section stores one. What is here is made anew when the center starts:
-- plans of before this have another format, and no agent of this release takes one
update host_plan set sections = null where sections is not null;
drop table plan_section;
create table plan_section (
  digest text primary key,
  -- digests of its chunks, in order
  chunks text[] not null
);
create table plan_chunk (
  digest text primary key,
  body text not null
);

-- a rule's schedule or expiry date makes a revision too
alter table publication drop constraint publication_cause_check;
alter table publication add constraint publication_cause_check check (cause in ('publish', 'inventory', 'schedule'));

-- operating system, as the host tells it and as the center says
alter table vm add column os text;
alter table vm_override add column os text;
