-- Pterodactyl, written from database/schema/mysql-schema.sql and its migrations up to 706db62c6 (after 1.11.10): its tables users,
-- sessions, recovery_tokens and user_ssh_keys, as MariaDB has them. Pterodactyl itself was not run: it is in no registry. Its hasher
-- is Laravel's, with bcrypt.
CREATE TABLE users (
    id                    INT(10) UNSIGNED NOT NULL AUTO_INCREMENT,
    external_id           VARCHAR(191) DEFAULT NULL,
    uuid                  CHAR(36) NOT NULL,
    username              VARCHAR(191) NOT NULL,
    email                 VARCHAR(191) NOT NULL,
    name_first            VARCHAR(191) DEFAULT NULL,
    name_last             VARCHAR(191) DEFAULT NULL,
    password              TEXT NOT NULL,
    remember_token        VARCHAR(191) DEFAULT NULL,
    language              CHAR(5) NOT NULL DEFAULT 'en',
    root_admin            TINYINT(3) UNSIGNED NOT NULL DEFAULT 0,
    use_totp              TINYINT(3) UNSIGNED NOT NULL,
    totp_secret           TEXT DEFAULT NULL,
    totp_authenticated_at TIMESTAMP NULL DEFAULT NULL,
    gravatar              TINYINT(1) NOT NULL DEFAULT 1,
    created_at            TIMESTAMP NULL DEFAULT NULL,
    updated_at            TIMESTAMP NULL DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY users_uuid_unique (uuid),
    UNIQUE KEY users_email_unique (email),
    UNIQUE KEY users_username_unique (username),
    KEY users_external_id_index (external_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE sessions (
    id            VARCHAR(191) NOT NULL,
    user_id       INT(11) DEFAULT NULL,
    ip_address    VARCHAR(45) DEFAULT NULL,
    user_agent    TEXT DEFAULT NULL,
    payload       TEXT NOT NULL,
    last_activity INT(11) NOT NULL,
    UNIQUE KEY sessions_id_unique (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE recovery_tokens (
    id         BIGINT(20) UNSIGNED NOT NULL AUTO_INCREMENT,
    user_id    INT(10) UNSIGNED NOT NULL,
    token      VARCHAR(191) NOT NULL,
    created_at TIMESTAMP NULL DEFAULT NULL,
    PRIMARY KEY (id),
    KEY recovery_tokens_user_id_foreign (user_id),
    CONSTRAINT recovery_tokens_user_id_foreign FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

INSERT INTO users (id, uuid, username, email, name_first, name_last, password, remember_token, language, root_admin, use_totp) VALUES
    (1, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01', 'boss', 'boss@games.example', 'Boss', NULL, '@HASH', 'r1', 'en', 1, 0),
    (2, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a02', 'ana', 'ana@games.example', 'Ana', 'Núñez', '@HASH', 'r2', 'es', 0, 0),
    (4294967295, '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a03', 'ben', 'ben@games.example', NULL, NULL, '@HASH', NULL, 'en', 0, 0);
INSERT INTO sessions VALUES ('a', 2, NULL, NULL, '', 1), ('b', 1, NULL, NULL, '', 1), ('c', NULL, NULL, NULL, '', 1);
