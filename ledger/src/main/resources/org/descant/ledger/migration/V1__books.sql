-- The books. Rows are only ever added; triggers refuse the rest. Amounts are millionths of a currency.

create table usage (
  id text primary key,
  clip_id text not null,
  kind text not null,
  seconds double precision not null check (seconds >= 0),
  amount_micros bigint not null check (amount_micros >= 0),
  currency text not null,
  at timestamptz not null
);
create index usage_at on usage (at);
create index usage_clip on usage (clip_id);

-- How a usage ended: at most once. A usage without a row here is pending.
create table settlement (
  usage_id text primary key references usage,
  outcome text not null check (outcome in ('POSTED', 'VOIDED')),
  seconds double precision not null check (seconds >= 0),
  amount_micros bigint not null check (amount_micros >= 0)
);

-- Each hash covers the row, its usage and settlement, and the hash before: a chain.
create table transfer (
  seq bigint primary key,
  id text not null unique,
  usage_id text not null references settlement,
  from_account text not null,
  to_account text not null check (to_account <> from_account),
  amount_micros bigint not null check (amount_micros > 0),
  currency text not null,
  rule text not null,
  isrc text,
  reason text not null,
  hash text not null
);
create index transfer_usage on transfer (usage_id);

-- Two rows for each transfer: what leaves one account (negative) and reaches another.
create table entry (
  transfer_seq bigint not null references transfer,
  account text not null,
  amount_micros bigint not null,
  primary key (transfer_seq, account)
);
create index entry_account on entry (account);

create table closing (
  period text primary key,
  last_seq bigint not null,
  head text not null,
  moved_micros bigint not null
);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'ledger.% is append-only: book a new transfer instead', tg_table_name;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array array['usage', 'settlement', 'transfer', 'entry', 'closing']
  loop
    execute format(
      'create trigger append_only before update or delete or truncate on %I'
      ' for each statement execute function refuse_change()', name);
  end loop;
end
$$;
