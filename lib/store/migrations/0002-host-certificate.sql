-- serials (lower-case hex) of the certificates a host may connect with: the one in use, then those renewed since and not used yet.
-- A host enrolled before this has none: it is refused until it enrols anew
alter table host add column certificate_serials text[] not null default '{}';
