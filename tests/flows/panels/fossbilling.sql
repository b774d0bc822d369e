-- FOSSBilling, src/install/sql/structure.sql, 0.8.5 and 196 commits (56a0871df): the columns of its tables client, admin
-- and session, their types as SQLite takes them. Clients' sessions are in no table that names them.
CREATE TABLE client (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    aid             VARCHAR(255),
    client_group_id BIGINT,
    role            VARCHAR(30) NOT NULL DEFAULT 'client',
    auth_type       VARCHAR(255),
    email           VARCHAR(255) UNIQUE,
    billing_email   VARCHAR(255),
    pass            VARCHAR(255),
    salt            VARCHAR(255),
    status          VARCHAR(30) DEFAULT 'active',
    email_approved  TINYINT,
    tax_exempt      TINYINT DEFAULT 0,
    type            VARCHAR(100),
    first_name      VARCHAR(100),
    last_name       VARCHAR(100),
    gender          VARCHAR(20),
    birthday        DATE,
    phone_cc        VARCHAR(10),
    phone           VARCHAR(100),
    company         VARCHAR(100),
    company_vat     VARCHAR(100),
    company_number  VARCHAR(255),
    address_1       VARCHAR(100),
    address_2       VARCHAR(100),
    city            VARCHAR(100),
    state           VARCHAR(100),
    postcode        VARCHAR(100),
    country         VARCHAR(100),
    notes           TEXT,
    currency        VARCHAR(10),
    lang            VARCHAR(10),
    timezone        VARCHAR(64),
    ip              VARCHAR(45),
    api_token       VARCHAR(128),
    referred_by     VARCHAR(255),
    custom_1  TEXT, custom_2  TEXT, custom_3  TEXT, custom_4  TEXT, custom_5  TEXT,
    custom_6  TEXT, custom_7  TEXT, custom_8  TEXT, custom_9  TEXT, custom_10 TEXT,
    custom_11 TEXT, custom_12 TEXT, custom_13 TEXT, custom_14 TEXT, custom_15 TEXT,
    custom_16 TEXT, custom_17 TEXT, custom_18 TEXT, custom_19 TEXT, custom_20 TEXT,
    created_at      DATETIME,
    updated_at      DATETIME
);
CREATE INDEX alternative_id_idx ON client (aid);
CREATE INDEX client_group_id_idx ON client (client_group_id);

CREATE TABLE admin (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    system_name VARCHAR(100) UNIQUE,
    email       VARCHAR(255) UNIQUE,
    pass        VARCHAR(255),
    salt        VARCHAR(255),
    name        VARCHAR(255),
    signature   VARCHAR(255),
    status      VARCHAR(30) DEFAULT 'active',
    api_token   VARCHAR(128),
    timezone    VARCHAR(64),
    created_at  DATETIME,
    updated_at  DATETIME
);

CREATE TABLE session (
    id          VARBINARY(128) PRIMARY KEY NOT NULL,
    modified_at INTEGER NOT NULL,
    created_at  INTEGER,
    content     BLOB NOT NULL,
    lifetime    INTEGER NOT NULL,
    fingerprint TEXT
);
CREATE INDEX session_lifetime_idx ON session (lifetime);
