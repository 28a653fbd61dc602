"""The tables that the simulator's data is in."""

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS tenants (
    uid TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT NOT NULL,
    tenant TEXT NOT NULL REFERENCES tenants (uid),
    user TEXT NOT NULL,
    permissions TEXT NOT NULL,
    PRIMARY KEY (token, tenant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL REFERENCES tenants (uid),
    uid TEXT NOT NULL,
    name TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_modified_by TEXT NOT NULL,
    last_modified_at TEXT NOT NULL,
    UNIQUE (tenant, uid)
);
CREATE INDEX IF NOT EXISTS groups_by_name ON groups (tenant, name);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL REFERENCES tenants (uid),
    uid TEXT NOT NULL,
    document BLOB NOT NULL,
    whole INTEGER NOT NULL,
    display_name, firstname, lastname, company_name, customer_type, email, city, postal_code,
    created_at, last_modified_at, relevance,
    UNIQUE (tenant, uid)
);
CREATE TABLE IF NOT EXISTS memberships (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    UNIQUE (group_id, customer_id)
);
CREATE INDEX IF NOT EXISTS memberships_of_customer ON memberships (customer_id, id);
CREATE INDEX IF NOT EXISTS memberships_of_group ON memberships (group_id, id);
"""
