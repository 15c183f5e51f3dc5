-- A door is one opened Delivery of one process. It holds an advisory lock for as long as it lives, so
-- that nobody else takes its unfinished clips for left-overs. The draft is the clip as it will be,
-- durable before its usage is posted: with it, a clip that was paid for can always be finished.
create sequence serving.door as integer cycle;

alter table serving.clip
  add column door integer not null default 0,
  add column draft jsonb;
