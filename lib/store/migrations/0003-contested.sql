-- who holds what more than one claims: a VM (by host), an address or a MAC (by endpoint). The first holder keeps it, over a restart of the center too
create table contested_holder (
  claim text primary key,
  holder text not null
);
