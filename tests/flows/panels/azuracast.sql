-- AzuraCast, backend/src/Entity/User.php and UserLoginToken.php (0502ff38), Role.php and its migrations: the columns of its
-- tables users, role, user_has_role and user_login_tokens, their types as SQLite takes them. Sessions are in no table.
CREATE TABLE users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    email             VARCHAR(100) NOT NULL,
    auth_password     VARCHAR(255) NOT NULL,
    name              VARCHAR(100),
    locale            VARCHAR(25),
    show_24_hour_time TINYINT,
    two_factor_secret VARCHAR(255),
    created_at        INT NOT NULL,
    updated_at        INT NOT NULL
);
CREATE UNIQUE INDEX email_idx ON users (email);

CREATE TABLE role (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(100) NOT NULL
);

CREATE TABLE user_has_role (
    user_id INT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id INT NOT NULL REFERENCES role (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, role_id)
);

CREATE TABLE user_login_tokens (
    id         VARCHAR(16) PRIMARY KEY NOT NULL,
    user_id    INT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INT NOT NULL,
    verifier   VARCHAR(128) NOT NULL
);
CREATE INDEX IDX_DDF24A16A76ED395 ON user_login_tokens (user_id);
