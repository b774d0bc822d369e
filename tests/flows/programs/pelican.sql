-- Pelican, written from its migrations up to 235c8fb98 (August 2026): its tables users, roles, model_has_roles and sessions, as Laravel's
-- grammar makes them on PostgreSQL. Pelican itself was not run: it is in no registry. Its hasher is Laravel's, with bcrypt.
CREATE TABLE users (
    id                     SERIAL PRIMARY KEY,
    external_id            VARCHAR(255),
    is_managed_externally  BOOLEAN NOT NULL DEFAULT FALSE,
    uuid                   VARCHAR(36) NOT NULL,
    username               VARCHAR(255) NOT NULL,
    email                  VARCHAR(255) NOT NULL,
    password               TEXT NOT NULL,
    remember_token         VARCHAR(255),
    language               VARCHAR(5) NOT NULL DEFAULT 'en',
    timezone               VARCHAR(255) NOT NULL DEFAULT 'UTC',
    oauth                  JSON,
    customization          JSON,
    mfa_app_secret         TEXT,
    mfa_app_recovery_codes TEXT,
    mfa_email_enabled      BOOLEAN NOT NULL DEFAULT FALSE,
    created_at             TIMESTAMP(0) WITHOUT TIME ZONE,
    updated_at             TIMESTAMP(0) WITHOUT TIME ZONE,
    CONSTRAINT users_uuid_unique UNIQUE (uuid),
    CONSTRAINT users_username_unique UNIQUE (username),
    CONSTRAINT users_email_unique UNIQUE (email)
);
CREATE INDEX users_external_id_index ON users (external_id);

CREATE TABLE roles (
    id         BIGSERIAL PRIMARY KEY,
    name       VARCHAR(255) NOT NULL,
    guard_name VARCHAR(255) NOT NULL,
    created_at TIMESTAMP(0) WITHOUT TIME ZONE,
    updated_at TIMESTAMP(0) WITHOUT TIME ZONE,
    CONSTRAINT roles_name_guard_name_unique UNIQUE (name, guard_name)
);

CREATE TABLE model_has_roles (
    role_id    BIGINT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    model_type VARCHAR(255) NOT NULL,
    model_id   BIGINT NOT NULL,
    PRIMARY KEY (role_id, model_id, model_type)
);
CREATE INDEX model_has_roles_model_id_model_type_index ON model_has_roles (model_id, model_type);

CREATE TABLE sessions (
    id            VARCHAR(255) NOT NULL,
    user_id       INTEGER,
    ip_address    VARCHAR(45),
    user_agent    TEXT,
    payload       TEXT NOT NULL,
    last_activity INTEGER NOT NULL,
    CONSTRAINT sessions_id_unique UNIQUE (id)
);

INSERT INTO users (id, uuid, username, email, password, remember_token, language) VALUES
    (1, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01', 'boss', 'boss@games.example', '@HASH', 'r1', 'en'),
    (2, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a02', 'ana', 'Ana@Games.example', '@HASH', 'r2', 'es'),
    (3, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a03', 'ben', 'ben@games.example', '@HASH', NULL, 'en');
INSERT INTO roles (id, name, guard_name) VALUES (1, 'Root Admin', 'web');
INSERT INTO model_has_roles VALUES (1, 'user', 1);
INSERT INTO sessions VALUES ('a', 2, NULL, NULL, '', 1), ('b', 1, NULL, NULL, '', 1), ('c', NULL, NULL, NULL, '', 1);
