-- What came from what. Rows are only ever added; a trigger refuses the rest.

create table artefact (
  id text primary key check (length(id) between 1 and 200),
  kind text not null,
  facts text not null,
  recorded_at timestamptz not null default now()
);

-- Prefix lookup: C collation so that the index serves LIKE 'abc%'.
create index artefact_id_prefix on artefact (id text_pattern_ops);

create table edge (
  child text not null references artefact,
  parent text not null references artefact,
  primary key (child, parent)
);

create index edge_parent on edge (parent);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the lineage is append-only';
end $$;

create trigger artefact_append_only before update or delete on artefact
  for each statement execute function refuse_change();
create trigger edge_append_only before update or delete on edge
  for each statement execute function refuse_change();
