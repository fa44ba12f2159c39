CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE meta (
  schema_version INTEGER NOT NULL
);

CREATE TABLE users (
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  created TEXT NOT NULL, active INTEGER, scale_low DOUBLE, scale_high DOUBLE,
  PRIMARY KEY (id),
  UNIQUE (name)
);

CREATE TABLE adapters (
  id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created TEXT NOT NULL,
  adapter TEXT NOT NULL,
  model_name TEXT NOT NULL,
  model_hash TEXT NOT NULL,
  scale_low DOUBLE NOT NULL,
  scale_high DOUBLE NOT NULL,
  n_ratings INTEGER NOT NULL,
  extra TEXT NOT NULL,
  state BLOB NOT NULL, digest TEXT DEFAULT '' NOT NULL, head BLOB,
  PRIMARY KEY (id),
  UNIQUE (user_id, version),
  FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE ratings (
  adapter_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  image TEXT NOT NULL,
  sha256 TEXT,
  score DOUBLE NOT NULL,
  PRIMARY KEY (adapter_id, position),
  FOREIGN KEY(adapter_id) REFERENCES adapters (id) ON DELETE CASCADE
);

CREATE TABLE given (
  user_id INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  image TEXT NOT NULL,
  score DOUBLE NOT NULL,
  created TEXT NOT NULL,
  model_hash TEXT NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (user_id, sha256),
  FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE jobs (
  id TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  adapter TEXT NOT NULL,
  state TEXT NOT NULL,
  created DOUBLE NOT NULL,
  lease DOUBLE NOT NULL,
  version INTEGER,
  error TEXT,
  PRIMARY KEY (id),
  FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_jobs_user_id ON jobs (user_id);

CREATE INDEX jobs_by_state ON jobs (state, lease);

CREATE TABLE api_keys (
  id TEXT NOT NULL,
  hash TEXT NOT NULL,
  role TEXT NOT NULL,
  user_name TEXT,
  created TEXT NOT NULL,
  revoked TEXT,
  PRIMARY KEY (id),
  UNIQUE (hash)
);

INSERT INTO meta VALUES (2);

INSERT INTO alembic_version VALUES ('0002');
