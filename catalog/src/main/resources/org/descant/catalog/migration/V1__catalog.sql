-- What the catalogue knows of each recording. Who may do what with it is the business of rights.

create table catalog.recording (
  isrc          text primary key check (isrc ~ '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$'),
  title         text not null,
  version_title text not null,
  artist        text not null,
  status        text not null check (status in ('READY', 'WAITING', 'BLOCKED', 'DUPLICATE')),
  reason        text not null,
  duplicate_of  text references catalog.recording (isrc),
  seconds       double precision not null,
  sample_rate   integer not null,
  channels      integer not null,
  pcm_hash      text check (pcm_hash ~ '^[0-9a-f]{64}$'),
  audio_blob    text check (audio_blob ~ '^sha256:[0-9a-f]{64}$'),
  audio_format  text not null,
  lufs          double precision,
  peak          double precision,
  fingerprint   bytea,
  genre         text not null,
  tags          text[] not null,
  description   text not null,
  bpm           double precision,
  music_key     text,
  jams          text,
  licence       text not null,
  extra         jsonb not null,
  source        text not null,
  imported_at   timestamptz not null default now(),
  words         text not null,
  search        tsvector generated always as (to_tsvector('simple', words)) stored,
  -- What is ready or a duplicate has sound; what waits or is blocked may have none.
  check (status in ('WAITING', 'BLOCKED')
         or (pcm_hash is not null and audio_blob is not null and fingerprint is not null)),
  check ((status = 'DUPLICATE') = (duplicate_of is not null)),
  check ((status = 'READY') = (reason = ''))
);

create index recording_search on catalog.recording using gin (search);
create index recording_pcm_hash on catalog.recording (pcm_hash);

create table catalog.stem (
  isrc     text not null references catalog.recording (isrc),
  position integer not null,
  name     text not null,
  blob     text not null check (blob ~ '^sha256:[0-9a-f]{64}$'),
  seconds  double precision not null,
  primary key (isrc, name)
);

create table catalog.release (
  id     text primary key,
  title  text not null,
  artist text not null,
  label  text not null,
  icpn   text not null,
  grid   text not null,
  isrcs  text[] not null
);

-- Messages that were taken, so that an older one that comes later cannot bring old deals back.
create table catalog.message (
  sender      text not null,
  message_id  text not null,
  created_at  timestamptz not null,
  isrcs       text[] not null,
  imported_at timestamptz not null default now(),
  primary key (sender, message_id)
);

create index message_isrcs on catalog.message using gin (isrcs);

-- The agreements that an ERN sender's deals have become, to end those that a later message drops.
create table catalog.dealt (
  agreement text primary key,
  sender    text not null,
  isrc      text not null
);

create index dealt_isrc on catalog.dealt (isrc, sender);

-- Facts of rights that deliveries have brought. A choice that comes a second time is no new choice:
-- without this, a repeated import would undo what the artist has said since.
create table catalog.taken (
  digest   text primary key,
  taken_at timestamptz not null default now()
);
