-- Facts about rights. Rows are only ever added: a later row about the same thing takes the place of
-- an earlier one from the moment it was recorded, and seq is the order of those moments.

create table event (
  seq bigint generated always as identity primary key,
  recorded_at timestamptz not null
);
create unique index event_by_time on event (recorded_at);

create table party (
  seq bigint primary key references event,
  id text not null,
  name text not null,
  fictional boolean not null,
  isni text
);
create index party_by_id on party (id, seq desc);

create table work (
  seq bigint primary key references event,
  id text not null,
  title text not null,
  contributor_ids text[] not null,
  contributor_roles text[] not null,
  owner_ids text[] not null,
  owner_basis_points integer[] not null
);
create index work_by_id on work (id, seq desc);

create table recording (
  seq bigint primary key references event,
  isrc text not null,
  title text not null,
  display_artist text not null,
  seconds double precision not null,
  pcm_hash text,
  work_ids text[] not null,
  contributor_ids text[] not null,
  contributor_roles text[] not null,
  owner_ids text[] not null,
  owner_basis_points integer[] not null,
  blocked_reason text
);
create index recording_by_isrc on recording (isrc, seq desc);
create index recording_by_pcm_hash on recording (pcm_hash);

create table agreement (
  seq bigint primary key references event,
  id text not null,
  kind text not null,
  licensor text not null,
  uses text[] not null,
  scope text not null,
  valid_from date not null,
  valid_to date,
  territories text[] not null,
  platform_fee_basis_points integer not null,
  master_side_basis_points integer not null,
  contributor_pool_basis_points integer not null,
  run_off_days integer not null,
  credit_required boolean not null,
  payment_due boolean not null
);
create index agreement_by_id on agreement (id, seq desc);
create index agreement_by_licensor on agreement (licensor);

create table choice (
  seq bigint primary key references event,
  id text not null,
  party_id text not null,
  use text not null,
  scope text not null,
  allowed boolean not null,
  valid_from date not null
);
create index choice_by_party on choice (party_id, use, scope, seq desc);
create index choice_by_id on choice (id);

create table decision (
  id text primary key,
  use text not null,
  isrc text not null,
  allowed boolean not null,
  reasons jsonb not null,
  rules_hash text not null,
  valid_at date not null,
  known_at timestamptz not null,
  territory text not null
);
create index decision_by_isrc on decision (isrc);
create index decision_by_known_at on decision (known_at);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rights.% is append-only: record a new fact instead', tg_table_name;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array
    array['event', 'party', 'work', 'recording', 'agreement', 'choice', 'decision']
  loop
    execute format(
      'create trigger append_only before update or delete or truncate on %I'
      ' for each statement execute function refuse_change()', name);
  end loop;
end
$$;
