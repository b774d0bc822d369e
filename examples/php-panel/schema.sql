CREATE TABLE users (
    id             INTEGER PRIMARY KEY,
    email          VARCHAR(255) NOT NULL UNIQUE COLLATE NOCASE,
    username       VARCHAR(64)  NOT NULL UNIQUE COLLATE NOCASE,
    password       VARCHAR(255) NOT NULL,
    full_name      VARCHAR(255) NOT NULL,
    role           VARCHAR(16)  NOT NULL DEFAULT 'client',
    active         TINYINT      NOT NULL DEFAULT 1,
    created_at     DATETIME     NOT NULL,
    updated_at     DATETIME     NOT NULL,
    remember_token VARCHAR(64),
    confirmations  INTEGER      NOT NULL DEFAULT 0
);

CREATE TABLE user_sessions (
    id         VARCHAR(128) PRIMARY KEY,
    user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
    ip         VARCHAR(45) NOT NULL,
    payload    TEXT        NOT NULL,
    updated_at INTEGER     NOT NULL
);

CREATE INDEX user_sessions_user ON user_sessions (user_id);
