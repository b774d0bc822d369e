#!/bin/bash
# PostgreSQL 15 with tokio-postgres 0.7.18 (crates.io) and psycopg 3.2.9 (PyPI): COMMIT after a failed statement is answered without
# an error, and nothing is stored. A program that ignores one duplicate key and goes on reports success for a transaction that is gone.
# The server tells it in the command tag alone: ROLLBACK instead of COMMIT. psycopg shows the tag (`statusmessage`); tokio-postgres shows
# none, neither from `batch_execute` nor from its `Transaction::commit`. So the client has to remember that a statement failed.
#
# Exits 0 while it is so, 1 when it is not any more. Needs cargo, python3 with venv, crates.io, PyPI, and Debian's postgresql.
set -eu
work=$(mktemp -d); chmod 755 "$work"; as=()
if [ "$(id -u)" = 0 ]; then mkdir "$work/pg"; chown postgres "$work/pg"; as=(setpriv --reuid=postgres --regid=postgres --clear-groups --); fi
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
trap 'cd /; "${as[@]}" "$bin/pg_ctl" -D "$work/pg/a" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/pg" "$work/src"; cd "$work/pg"; port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$bin/initdb" -D a -U u -A trust --no-sync >/dev/null
"${as[@]}" "$bin/pg_ctl" -D a -w -l log -o "-p $port -h 127.0.0.1 -k $work/pg" start >/dev/null
cd "$work"
cat > Cargo.toml <<'T'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
tokio = { version = "1", features = ["rt", "macros"] }
tokio-postgres = "=0.7.18"
[workspace]
T
cat > src/main.rs <<'T'
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = format!("host=127.0.0.1 port={} user=u dbname=postgres", std::env::args().nth(1).unwrap());
    let (mut client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE t (id integer PRIMARY KEY)").await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    println!("duplicate: {}", transaction.execute("INSERT INTO t VALUES (1)", &[]).await.is_err());
    println!("commit: {:?}", transaction.commit().await);
    println!("rows: {}", client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0));
}
T
cargo build --quiet --target-dir "$work/target"
python3 -m venv venv; venv/bin/pip install --quiet 'psycopg[binary]==3.2.9'
changed=0; expect() { grep -qF -- "$2" "$1" && echo "as before: $2" || { echo "CHANGED: no more: $2"; changed=1; }; }
"$bin/postgres" --version; echo "--- tokio-postgres"; target/debug/finding "$port" > out; cat out
expect out 'duplicate: true'; expect out 'commit: Ok(())'; expect out 'rows: 0'
echo "--- psycopg"; venv/bin/python - "$port" > out <<'T'
import psycopg, sys
db = psycopg.connect(f"host=127.0.0.1 port={sys.argv[1]} user=u dbname=postgres", autocommit=True)
db.execute("BEGIN"); db.execute("INSERT INTO t VALUES (2)")
try: db.execute("INSERT INTO t VALUES (2)")
except psycopg.errors.UniqueViolation: print("duplicate")
print("tag of COMMIT:", db.execute("COMMIT").statusmessage)
print("rows:", db.execute("SELECT count(*) FROM t").fetchone()[0])
T
cat out; expect out 'tag of COMMIT: ROLLBACK'; expect out 'rows: 0'
exit $changed
