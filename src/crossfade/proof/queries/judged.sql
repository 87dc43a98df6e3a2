-- The contract's verdicts on bronze's bytes: a reason or a play.
CREATE OR REPLACE TABLE judged (
  "partition" INTEGER,
  "offset" BIGINT,
  reason VARCHAR,
  event_id VARCHAR,
  user_id VARCHAR,
  country VARCHAR,
  song_id VARCHAR,
  title VARCHAR,
  artist VARCHAR,
  album VARCHAR,
  genre VARCHAR,
  album_artist VARCHAR,
  city VARCHAR,
  device VARCHAR,
  tier VARCHAR,
  kind VARCHAR,
  source VARCHAR,
  event_time BIGINT,
  ms_played BIGINT,
  is_counted BOOLEAN,
  artist_key VARCHAR
)
