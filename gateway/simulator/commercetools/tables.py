"""The tables that the simulator's data is in."""

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    key TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT NOT NULL,
    project TEXT NOT NULL REFERENCES projects (key),
    author TEXT NOT NULL,
    scopes TEXT NOT NULL,
    PRIMARY KEY (token, project)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL REFERENCES projects (key),
    id TEXT NOT NULL,
    key TEXT,
    name TEXT NOT NULL,
    custom TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT,
    last_modified_at TEXT NOT NULL,
    last_modified_by TEXT,
    UNIQUE (project, id),
    UNIQUE (project, key),
    UNIQUE (project, name)
);
CREATE TABLE IF NOT EXISTS customers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL REFERENCES projects (key),
    id TEXT NOT NULL,
    document BLOB NOT NULL,
    whole INTEGER NOT NULL,
    given TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT,
    last_modified_at TEXT NOT NULL,
    last_modified_by TEXT,
    legacy_group TEXT,
    key, email, first_name, last_name, company_name, customer_number, external_id, vat_id,
    date_of_birth,
    UNIQUE (project, id)
);
CREATE INDEX IF NOT EXISTS customers_by_legacy_group ON customers (legacy_group);
CREATE TABLE IF NOT EXISTS assignments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer INTEGER NOT NULL REFERENCES customers (seq) ON DELETE CASCADE,
    group_id TEXT NOT NULL,  -- of no table: a reference may outlive what it refers to
    UNIQUE (customer, group_id)
);
CREATE INDEX IF NOT EXISTS assignments_of_group ON assignments (group_id, customer);
"""
