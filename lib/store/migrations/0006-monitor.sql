-- what a rule in monitor mode would have done
alter table flow drop constraint flow_kind_check;
alter table flow add constraint flow_kind_check check (kind in ('drop', 'flow-start', 'flow-end', 'monitor'));
