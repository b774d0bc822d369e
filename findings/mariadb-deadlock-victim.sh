#!/bin/bash
# MariaDB 10.11 with PyMySQL 1.1.1 (PyPI): what is left of a transaction after two errors that mean "try again".
#
# 1. Deadlock (1213): the victim's transaction is gone, and the session is in autocommit mode again, without a word. What it writes next
#    stands at once, and the ROLLBACK at the end undoes nothing.
# 2. Lock wait timeout (1205): only the statement is undone. What was written before is still open, and a COMMIT keeps that half.
#
# So a program that answers either by repeating the statement stores halves. Only ROLLBACK, and all of it again, is right after both.
#
# Exits 0 while it is so, 1 when it is not any more. Needs python3 with venv, PyPI, and Debian's mariadb-server.
set -eu
work=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"; user=$(id -un); port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mariadb-install-db --no-defaults --datadir="$work/a" --user="$user" --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
mariadbd --no-defaults --user="$user" --datadir="$work/a" --socket="$work/s" --port="$port" --bind-address=127.0.0.1 --pid-file="$work/pid" 2>log & server=$!
until mariadb --no-defaults -S "$work/s" -uroot -e 'CREATE DATABASE d' 2>/dev/null; do sleep 0.2; done
python3 -m venv venv; venv/bin/pip install --quiet 'PyMySQL==1.1.1'
mariadb --version; venv/bin/python - "$work/s" > out <<'T'
import pymysql, sys, threading, time
def connect():
    db = pymysql.connect(unix_socket=sys.argv[1], user="root", database="d", autocommit=True); return db, db.cursor()
(a, x), (b, y) = connect(), connect()
x.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT) ENGINE=InnoDB"); x.execute("INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0)")
# The one that has changed less becomes the victim: y.
x.execute("BEGIN"); x.execute("UPDATE t SET n = 1 WHERE id IN (1, 3)")
y.execute("BEGIN"); y.execute("UPDATE t SET n = 2 WHERE id = 2")
waits = threading.Thread(target=lambda: x.execute("UPDATE t SET n = 1 WHERE id = 2")); waits.start(); time.sleep(0.5)
try: y.execute("UPDATE t SET n = 2 WHERE id = 1")
except pymysql.err.OperationalError as e: print("error", e.args[0])
y.execute("UPDATE t SET n = 9 WHERE id = 4"); y.execute("ROLLBACK"); waits.join(); x.execute("ROLLBACK")
y.execute("SELECT n FROM t WHERE id = 4"); print("written after the deadlock, then rolled back:", y.fetchone()[0])
y.execute("SET innodb_lock_wait_timeout = 1"); x.execute("BEGIN"); x.execute("UPDATE t SET n = 1 WHERE id = 1")
y.execute("BEGIN"); y.execute("UPDATE t SET n = 7 WHERE id = 3")
try: y.execute("UPDATE t SET n = 7 WHERE id = 1")
except pymysql.err.OperationalError as e: print("error", e.args[0])
y.execute("COMMIT"); x.execute("ROLLBACK"); x.execute("SELECT n FROM t WHERE id = 3"); print("half after the timeout, committed:", x.fetchone()[0])
T
cat out; changed=0; expect() { grep -qF -- "$1" out && echo "as before: $1" || { echo "CHANGED: no more: $1"; changed=1; }; }
expect 'error 1213'; expect 'written after the deadlock, then rolled back: 9'; expect 'error 1205'; expect 'half after the timeout, committed: 7'
exit $changed
