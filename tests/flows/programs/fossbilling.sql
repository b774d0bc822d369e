-- FOSSBilling, written from src/install/sql/structure.sql, 0.8.5 and 196 commits (56a0871df): its tables client (without the columns
-- custom_1 to custom_20, texts), admin and session, as MariaDB has them. FOSSBilling itself was not run: its packages are in no
-- registry. Its character set is utf8, three bytes a character.
CREATE TABLE client (
    id              BIGINT(20) NOT NULL AUTO_INCREMENT,
    aid             VARCHAR(255) DEFAULT NULL COMMENT 'Alternative id for foreign systems',
    client_group_id BIGINT(20) DEFAULT NULL,
    role            VARCHAR(30) NOT NULL DEFAULT 'client' COMMENT 'client',
    auth_type       VARCHAR(255) DEFAULT NULL,
    email           VARCHAR(255) DEFAULT NULL,
    billing_email   VARCHAR(255) DEFAULT NULL,
    pass            VARCHAR(255) DEFAULT NULL,
    salt            VARCHAR(255) DEFAULT NULL,
    status          VARCHAR(30) DEFAULT 'active' COMMENT 'active, suspended, canceled',
    email_approved  TINYINT(1) DEFAULT NULL,
    tax_exempt      TINYINT(1) DEFAULT '0',
    type            VARCHAR(100) DEFAULT NULL,
    first_name      VARCHAR(100) DEFAULT NULL,
    last_name       VARCHAR(100) DEFAULT NULL,
    gender          VARCHAR(20) DEFAULT NULL,
    birthday        DATE DEFAULT NULL,
    phone_cc        VARCHAR(10) DEFAULT NULL,
    phone           VARCHAR(100) DEFAULT NULL,
    company         VARCHAR(100) DEFAULT NULL,
    company_vat     VARCHAR(100) DEFAULT NULL,
    company_number  VARCHAR(255) DEFAULT NULL,
    address_1       VARCHAR(100) DEFAULT NULL,
    address_2       VARCHAR(100) DEFAULT NULL,
    city            VARCHAR(100) DEFAULT NULL,
    state           VARCHAR(100) DEFAULT NULL,
    postcode        VARCHAR(100) DEFAULT NULL,
    country         VARCHAR(100) DEFAULT NULL,
    notes           TEXT,
    currency        VARCHAR(10) DEFAULT NULL,
    lang            VARCHAR(10) DEFAULT NULL,
    timezone        VARCHAR(64) DEFAULT NULL,
    ip              VARCHAR(45) DEFAULT NULL,
    api_token       VARCHAR(128) DEFAULT NULL,
    referred_by     VARCHAR(255) DEFAULT NULL,
    created_at      DATETIME DEFAULT NULL,
    updated_at      DATETIME DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY email (email),
    KEY alternative_id_idx (aid),
    KEY client_group_id_idx (client_group_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE admin (
    id          BIGINT(20) NOT NULL AUTO_INCREMENT,
    system_name VARCHAR(100) DEFAULT NULL,
    email       VARCHAR(255) DEFAULT NULL,
    pass        VARCHAR(255) DEFAULT NULL,
    salt        VARCHAR(255) DEFAULT NULL,
    name        VARCHAR(255) DEFAULT NULL,
    signature   VARCHAR(255) DEFAULT NULL,
    status      VARCHAR(30) DEFAULT 'active' COMMENT 'active, inactive',
    api_token   VARCHAR(128) DEFAULT NULL,
    timezone    VARCHAR(64) DEFAULT NULL,
    created_at  DATETIME DEFAULT NULL,
    updated_at  DATETIME DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY email (email),
    UNIQUE KEY system_name (system_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE session (
    id          VARBINARY(128) NOT NULL,
    modified_at INT(11) UNSIGNED NOT NULL,
    created_at  INT(11) DEFAULT NULL,
    content     BLOB NOT NULL,
    lifetime    INT(11) UNSIGNED NOT NULL,
    fingerprint TEXT,
    PRIMARY KEY (id),
    KEY session_lifetime_idx (lifetime)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

INSERT INTO client (id, email, pass, status, first_name, last_name, lang, created_at, updated_at) VALUES
    (1, 'Ana@Panaderia.example', '@HASH', 'active', 'Ana', 'Núñez', 'es_ES', '2024-01-01 00:00:00', '2024-01-01 00:00:00'),
    (2, 'ben@closed.example', '@HASH', 'suspended', 'Ben', NULL, NULL, NULL, NULL),
    (3, 'gone@closed.example', '@HASH', 'canceled', 'Gone', 'Away', NULL, NULL, NULL),
    (4, 'odd@panaderia.example', NULL, 'active', NULL, NULL, NULL, NULL, NULL);
INSERT INTO admin (id, email, pass) VALUES (7, 'boss@northwind.example', '@HASH');
