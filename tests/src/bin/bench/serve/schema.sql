PRAGMA journal_mode = WAL;
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT, password TEXT, full_name TEXT);
CREATE INDEX users_email ON users (lower(email));
CREATE INDEX users_username ON users (lower(username));
