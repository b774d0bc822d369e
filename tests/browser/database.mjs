// What no person can do: change the panel's tables, so that nobody has to wait for time to pass.

import { execFileSync } from 'node:child_process';

import { facts } from './person.mjs';

const RUN = 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1], timeout=20) as db: db.execute(sys.argv[2])';

/** Runs one statement on the database of the facts. */
export const change = (statement) => execFileSync(facts.python, ['-c', RUN, facts.database, statement]);
