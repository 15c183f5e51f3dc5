-- Who delivered a recording: a message's sender, or 'table'. Only they may deliver it again. '' is
-- not known: anybody may, and is known from then on.

alter table catalog.recording add column deliverer text not null default '';
alter table catalog.recording alter column deliverer drop default;
