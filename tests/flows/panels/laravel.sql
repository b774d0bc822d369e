-- Laravel, the skeleton's database/migrations/0001_01_01_000000_create_users_table.php (laravel/laravel 8a119d7f4, framework
-- 12), as its SQLite grammar makes it; with an own column for the role, and softDeletes().
CREATE TABLE users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name              VARCHAR NOT NULL,
    email             VARCHAR NOT NULL,
    email_verified_at DATETIME,
    password          VARCHAR NOT NULL,
    role              VARCHAR NOT NULL DEFAULT 'customer',
    remember_token    VARCHAR,
    created_at        DATETIME,
    updated_at        DATETIME,
    deleted_at        DATETIME
);
CREATE UNIQUE INDEX users_email_unique ON users (email);

CREATE TABLE sessions (
    id            VARCHAR PRIMARY KEY NOT NULL,
    user_id       INTEGER,
    ip_address    VARCHAR,
    user_agent    TEXT,
    payload       TEXT NOT NULL,
    last_activity INTEGER NOT NULL
);
CREATE INDEX sessions_user_id_index ON sessions (user_id);
CREATE INDEX sessions_last_activity_index ON sessions (last_activity);
