#!/bin/bash
# PgBouncer 1.18 (Debian 12) in transaction mode, PostgreSQL 15, psycopg 3.2.9 (PyPI): a temporary table outlives the client that made it,
# and hides the permanent table of its name from the next client. What that one inserts is committed without an error, read back as it
# was written, and gone with the server's connection. `DISCARD ALL` (`server_reset_query`) is not run in this mode. PgBouncer's table of
# features says that temporary tables that outlive a transaction don't work for whoever makes them; here somebody else, who makes none,
# loses acknowledged rows. So a program behind it makes temporary tables with ON COMMIT DROP, or in a transaction that is rolled back.
#
# Exits 0 while it is so, 1 when it is not any more. Needs python3 with venv, PyPI, and Debian's postgresql and pgbouncer.
set -eu
work=$(mktemp -d); chmod 755 "$work"; as=(); mkdir "$work/pg"
if [ "$(id -u)" = 0 ]; then chown postgres "$work/pg"; as=(setpriv --reuid=postgres --regid=postgres --clear-groups --); fi
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1); pooler=
trap 'cd /; [ -z "$pooler" ] || kill "$pooler" 2>/dev/null || true; "${as[@]}" "$bin/pg_ctl" -D "$work/pg/a" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
cd "$work/pg"; port=$(free)
"${as[@]}" "$bin/initdb" -D a -U u -A trust --no-sync >/dev/null
"${as[@]}" "$bin/pg_ctl" -D a -w -l log -o "-p $port -h 127.0.0.1 -k $work/pg" start >/dev/null
pooled=$(free); echo '"u" ""' > "$work/users"
cat > "$work/pgbouncer.ini" <<T
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooled
unix_socket_dir =
auth_type = trust
auth_file = $work/users
pool_mode = transaction
T
"${as[@]}" /usr/sbin/pgbouncer -q "$work/pgbouncer.ini" & pooler=$!
cd "$work"; python3 -m venv venv; venv/bin/pip install --quiet 'psycopg[binary]==3.2.9'
/usr/sbin/pgbouncer --version | head -1; "$bin/postgres" --version
venv/bin/python - "$port" "$pooled" > out <<'T'
import psycopg, sys, time
direct, pooled = (f"host=127.0.0.1 port={port} user=u dbname=postgres" for port in sys.argv[1:])
psycopg.connect(direct, autocommit=True).execute("CREATE TABLE orders (id integer)")
for _ in range(100):
    try: psycopg.connect(pooled).close(); break
    except psycopg.OperationalError: time.sleep(0.1)
one = psycopg.connect(pooled, autocommit=True)
one.execute("CREATE TEMPORARY TABLE orders (id integer)")
one.close()
other = psycopg.connect(pooled)
other.execute("INSERT INTO orders VALUES (1)")
other.commit()
print("committed, and read by who wrote it:", other.execute("SELECT count(*) FROM orders").fetchone()[0])
other.close()
print("in the table:", psycopg.connect(direct).execute("SELECT count(*) FROM public.orders").fetchone()[0])
T
cat out; changed=0
expect() { grep -qF -- "$1" out && echo "as before: $1" || { echo "CHANGED: no more: $1"; changed=1; }; }
expect 'committed, and read by who wrote it: 1'; expect 'in the table: 0'
exit $changed
