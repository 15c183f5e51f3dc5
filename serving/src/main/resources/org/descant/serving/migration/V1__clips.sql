-- A clip from the moment it was asked for. Its row is durable, with provisional credits and a pending
-- usage, before the first sample leaves; it ends DELIVERED or VOIDED and never changes after that.
create table serving.clip (
  id text primary key,
  usage_id text not null unique,
  state text not null check (state in ('OPEN', 'DELIVERED', 'VOIDED')),
  asked_at timestamptz not null,
  request jsonb not null,
  model_id text not null,
  provisional_credits jsonb not null,
  result jsonb,
  void_reason text
);

create index clip_asked_at on serving.clip (asked_at desc);
