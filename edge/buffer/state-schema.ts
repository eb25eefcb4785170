import { COUNTER_SCHEMA } from "./counters.ts";
import { KEPT_WINDOW_SCHEMA } from "./kept-windows.ts";
import { MARK_SCHEMA } from "./marks.ts";
import { OUTBOX_SCHEMA } from "./outbox.ts";
import { PENDING_SCHEMA } from "./pending.ts";

/** The tables of state.db. */
export const STATE_SCHEMA = `
  ${MARK_SCHEMA};
  ${COUNTER_SCHEMA};
  CREATE TABLE IF NOT EXISTS checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), through INTEGER NOT NULL, body BLOB NOT NULL);
  ${PENDING_SCHEMA}
  ${OUTBOX_SCHEMA}
  ${KEPT_WINDOW_SCHEMA}
`;
