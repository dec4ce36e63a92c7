-- The queue on PostgreSQL (9.5 and later).
--
-- {jobs}, {target}, {attempts}, {key} and the like are names and SQL that the table fills in; %s are values.
-- Locks are taken in the order of the index (status, priority, scheduled_time), or by primary key.

-- name: describe_session
SELECT current_setting('server_version'), pg_backend_pid(), current_user

-- name: end_session
-- Behind a pooler the process may be somebody else's by now.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND application_name LIKE 'populate%%'

-- name: take_turn
SELECT pg_advisory_xact_lock(hashtext('populate turn'))

-- name: probe
SELECT {key} FROM {jobs} WHERE status = 'pending' LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: may_insert
-- This and the next three change nothing, and are refused where a grant is missing.
INSERT INTO {jobs} ({key}, status, priority) SELECT {key}, status, priority FROM {jobs} WHERE 1 = 0

-- name: may_update
UPDATE {jobs} SET status = status WHERE 1 = 0

-- name: may_delete
DELETE FROM {jobs} WHERE 1 = 0

-- name: may_read_target
SELECT 1 FROM {target} WHERE 1 = 0

-- name: install_attempts
-- One row for a key that failed and may be tried again.
CREATE TABLE IF NOT EXISTS {attempts} (
  jobs_table VARCHAR(64) NOT NULL,
  key_hash CHAR(40) NOT NULL,
  attempts INT NOT NULL,
  last_failed TIMESTAMP(3) NOT NULL,
  PRIMARY KEY (jobs_table, key_hash)
)

-- name: attempts_exist
-- And may be used by us, whoever made it.
SELECT 1
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
  AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
  AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')

-- name: due
-- The idle look: is there anything for us?
SELECT 1
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3) AND {restriction}
LIMIT 1

-- name: pick
-- The most urgent due rows, locked; rows that others hold are passed over.
SELECT {key}, error_message, LOCALTIMESTAMP(3)
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3)
ORDER BY priority, scheduled_time
LIMIT %s
FOR UPDATE SKIP LOCKED

-- name: candidates
-- Due rows that meet the restriction, in order of urgency, without locks.
SELECT {key}, priority, scheduled_time
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3) AND {restriction}
ORDER BY priority, scheduled_time
LIMIT %s

-- name: candidates_from
-- The same, but for what comes before a place in that order.
SELECT {key}, priority, scheduled_time
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3) AND {restriction}
  AND priority >= %s AND (priority, scheduled_time) >= (%s, %s)
ORDER BY priority, scheduled_time
LIMIT %s

-- name: lock
-- Those of the candidates that are still free.
SELECT {key}, error_message, LOCALTIMESTAMP(3)
FROM {jobs}
WHERE ({keys}) AND status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3)
LIMIT %s
FOR UPDATE SKIP LOCKED

-- name: mark_reserved
UPDATE {jobs}
SET status = 'reserved', reserved_time = %s, host = %s, pid = %s, connection_id = %s, "user" = %s, version = %s
WHERE {keys}

-- name: owned
-- Which rows are still ours, and which of these the target has.
SELECT {j_key}, EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_j})
FROM {jobs} AS j
WHERE {fenced}

-- name: lock_owned
SELECT 1 FROM {jobs} WHERE {fenced} FOR UPDATE

-- name: in_target
SELECT DISTINCT {key} FROM {target} WHERE {keys}

-- name: limit_statements
-- Until the transaction ends.
SELECT set_config('statement_timeout', '{milliseconds}', true)

-- name: in_key_source
-- Not for long, where limit_statements was before it.
SELECT DISTINCT {key} FROM ({key_source}) AS k WHERE {keys}

-- name: unmade
-- Those that have a row, and not one that says success.
SELECT {key} FROM {jobs} WHERE ({keys}) AND status <> 'success'

-- name: delete_owned
DELETE FROM {jobs} WHERE {fenced}

-- name: mark_success
UPDATE {jobs}
SET status = 'success', completed_time = LOCALTIMESTAMP(3), duration = CASE {durations} END
WHERE {fenced}

-- name: mark_ended
-- To error or ignore, with the reason.
UPDATE {jobs}
SET status = %s, completed_time = LOCALTIMESTAMP(3), error_message = %s, error_stack = %s
WHERE {fenced}

-- name: mark_retry
-- Pending again after a back-off; the message stays for all to read.
UPDATE {jobs}
SET status = 'pending', scheduled_time = LOCALTIMESTAMP(3) + %s * INTERVAL '1 second',
    error_message = %s, error_stack = %s,
    reserved_time = NULL, host = '', pid = 0, connection_id = 0
WHERE {fenced}

-- name: mark_released
-- Pending again at once.
UPDATE {jobs}
SET status = 'pending', reserved_time = NULL, host = '', pid = 0, connection_id = 0
WHERE {fenced}

-- name: mark_suspect
-- To run alone, once it is pending again.
UPDATE {jobs} SET error_message = %s WHERE {fenced}

-- name: held_by
-- The fences of rows reserved under these hosts.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts})

-- name: held_by_before
-- The same, of rows reserved more than so many seconds ago.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts}) AND reserved_time < LOCALTIMESTAMP(3) - %s * INTERVAL '1 second'

-- name: held_by_unseen
-- The same, of rows whose worker is not seen: neither the session that reserved them, nor any of its name, which is
-- what worker_session makes of its host. The names of its own sessions are what a user sees.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts}) AND "user" = current_user
  AND {gone}
  AND NOT EXISTS (
    SELECT 1 FROM pg_stat_activity s
    WHERE s.application_name = 'populate-worker ' || right(split_part({jobs}.host, '.populate-worker.', 1), 30)
      || ' ' || right(split_part({jobs}.host, '.populate-worker.', 2), 16))

-- name: gone
-- The session that reserved a row: who has its id may have begun later. Who may not see when that was sees when the
-- server began.
NOT EXISTS (
    SELECT 1 FROM pg_stat_activity s
    WHERE s.pid = {jobs}.connection_id
      AND COALESCE(s.backend_start, pg_postmaster_start_time()) < {jobs}.reserved_time + INTERVAL '1 second')

-- name: orphaned
-- The fences of rows reserved long ago by hosts that are neither ours nor other operators' workers, and whose session
-- is gone.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND {restriction}
  AND reserved_time < LOCALTIMESTAMP(3) - %s * INTERVAL '1 second'
  AND right(host, char_length(%s)) <> %s AND host NOT LIKE %s
  AND {gone}

-- name: count_attempt
INSERT INTO {attempts} AS p (jobs_table, key_hash, attempts, last_failed)
VALUES (%s, %s, 1, LOCALTIMESTAMP(3))
ON CONFLICT (jobs_table, key_hash)
DO UPDATE SET attempts = p.attempts + 1, last_failed = LOCALTIMESTAMP(3)

-- name: attempts
SELECT attempts FROM {attempts} WHERE jobs_table = %s AND key_hash = %s

-- name: forget_attempts
DELETE FROM {attempts} WHERE jobs_table = %s AND key_hash IN ({hashes})

-- name: forget_old_attempts
DELETE FROM {attempts} WHERE jobs_table = %s AND last_failed < LOCALTIMESTAMP(3) - INTERVAL '30 days'

-- name: new_keys
-- What there is to do and nobody has queued.
SELECT {k_key}
FROM ({restricted_key_source}) AS k
WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k})
  AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE {j_is_k})

-- name: add_new
-- So many of new_keys at most, passing over those that somebody queues at the same moment.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {k_key}, 'pending', %s, LOCALTIMESTAMP(3) + %s * INTERVAL '1 second'
FROM ({restricted_key_source}) AS k
WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k})
  AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE {j_is_k})
LIMIT %s
ON CONFLICT DO NOTHING

-- name: undone_keys
-- Rows marked success whose target row has gone.
SELECT {j_key}
FROM {jobs} AS j
WHERE j.status = 'success'
  AND EXISTS (SELECT 1 FROM ({restricted_key_source}) AS k WHERE {j_is_k})
  AND NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_j})
LIMIT %s

-- name: removable
-- Is there any row that vanished_keys would have to judge?
SELECT 1
FROM {jobs} AS j
WHERE (j.status IN ('success', 'error', 'ignore') AND (j.status <> 'ignore' OR j.error_message = %s))
   OR (j.status = 'pending' AND %s > 0 AND j.created_time < LOCALTIMESTAMP - %s * INTERVAL '1 second')
LIMIT 1

-- name: vanished_keys
-- Rows whose key has left key_source: ended ones without a target row at once, others when stale. Of ignored ones only
-- those with the message that we gave them.
SELECT {j_key}
FROM {jobs} AS j
WHERE (
    (j.status IN ('success', 'error', 'ignore') AND (j.status <> 'ignore' OR j.error_message = %s)
        AND NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_j}))
    OR (j.status IN ('pending', 'success', 'error')
        AND %s > 0 AND j.created_time < LOCALTIMESTAMP - %s * INTERVAL '1 second')
  )
  AND NOT EXISTS (SELECT 1 FROM ({key_source}) AS k WHERE {j_is_k})
LIMIT %s

-- name: stage
CREATE TEMPORARY TABLE {stage} AS
SELECT row_number() OVER () AS populate_row, s.* FROM ({select}) AS s

-- name: index_stage
-- Rows lie in the order of their numbers: an index of a few pages finds a chunk.
CREATE INDEX ON {stage} USING brin (populate_row) WITH (pages_per_range = 8)

-- name: analyze_stage
ANALYZE {stage}

-- name: stage_size
SELECT COALESCE(MAX(populate_row), 0) FROM {stage}

-- name: unstage
DROP TABLE IF EXISTS {stage}

-- name: due_time
SELECT LOCALTIMESTAMP(3) + %s * INTERVAL '1 second'

-- name: add_staged
-- A plain INSERT: nearly always nobody else has queued the keys since they were staged.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {s_key}, 'pending', %s, CAST(%s AS timestamp)
FROM {stage} AS s
WHERE s.populate_row BETWEEN %s AND %s

-- name: add_staged_missing
-- The same, passing over keys that somebody has queued meanwhile.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {s_key}, 'pending', %s, CAST(%s AS timestamp)
FROM {stage} AS s
WHERE s.populate_row BETWEEN %s AND %s
ON CONFLICT DO NOTHING

-- name: ignore_keys
INSERT INTO {jobs} AS j ({key}, status, priority)
VALUES {key_values}
ON CONFLICT ({key}) DO UPDATE SET status = 'ignore' WHERE j.status <> 'reserved'

-- name: count_ignored
SELECT COUNT(*) FROM {jobs} WHERE ({keys}) AND status = 'ignore'

-- name: re_pend_keys
-- As DataJoint does by deleting and inserting: nothing of the earlier run is left.
UPDATE {jobs}
SET status = 'pending', priority = %s, created_time = LOCALTIMESTAMP(3),
    scheduled_time = LOCALTIMESTAMP(3), reserved_time = NULL, completed_time = NULL, duration = NULL,
    error_message = '', error_stack = NULL, "user" = '', host = '', pid = 0, connection_id = 0,
    version = ''
WHERE ({keys}) AND status = 'success'

-- name: delete_keys
DELETE FROM {jobs}
WHERE ({keys}) AND status <> 'reserved' AND (status <> 'ignore' OR error_message = %s)

-- name: less_urgent
-- Pending rows that are less urgent than they should be, or that still have the priority this PopulateJob gave before.
SELECT {key}
FROM {jobs}
WHERE status = 'pending' AND (priority > %s OR priority = %s) AND priority <> %s AND {restriction}
LIMIT %s

-- name: set_priority
UPDATE {jobs} SET priority = %s WHERE ({keys}) AND status = 'pending'

-- name: error_keys
SELECT {key}
FROM {jobs}
WHERE status = 'error' AND {restriction} AND position(%s IN error_message) > 0
LIMIT %s

-- name: retry_keys
UPDATE {jobs}
SET status = 'pending', scheduled_time = LOCALTIMESTAMP(3), reserved_time = NULL, completed_time = NULL,
    error_message = '', error_stack = NULL, host = '', pid = 0, connection_id = 0
WHERE ({keys}) AND status = 'error'

-- name: ignore_error_keys
UPDATE {jobs} SET status = 'ignore' WHERE ({keys}) AND status = 'error'

-- name: pending_keys
SELECT {key} FROM {jobs} WHERE status = 'pending' AND {restriction} LIMIT %s

-- name: remove_pending_keys
DELETE FROM {jobs} WHERE ({keys}) AND status = 'pending'

-- name: errors
-- Of many: as much of the message as tells one kind from another.
SELECT {key}, LEFT(error_message, 512) FROM {jobs} WHERE status = 'error' AND {restriction} LIMIT %s

-- name: messages
SELECT {key}, error_message FROM {jobs} WHERE {keys}

-- name: holds_rows
SELECT EXISTS (SELECT 1 FROM {jobs}) OR EXISTS (SELECT 1 FROM {target})

-- name: progress
SELECT COUNT(*), COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k}) THEN 1 ELSE 0 END), 0)
FROM ({restricted_key_source}) AS k

-- name: analyze
-- Right after a bulk insert the planner does not trust the index that serves reserve.
ANALYZE {jobs}

-- The statements below are for many tables at a time: those of each are joined to those of the others by UNION ALL.
-- Their columns are the number of the table, what was counted, of which name, and how many.

-- name: part_ready
SELECT {part} AS part, 'ready' AS what, '' AS name, COUNT(*) AS number
FROM (
  SELECT 1
  FROM {jobs}
  WHERE status = 'pending' AND scheduled_time <= LOCALTIMESTAMP(3) AND {restriction}
  LIMIT %s
) AS few

-- name: part_held
-- Rows that do not meet the restriction are told of hosts that end so alone; of none, where that is empty.
SELECT {part} AS part, CASE WHEN met THEN 'held' ELSE 'outside' END AS what, CAST(host AS text) AS name,
  COUNT(*) AS number
FROM (SELECT host, {restriction} AS met FROM {jobs} WHERE status = 'reserved') AS reserved_rows
WHERE met OR right(host, char_length(%s)) = NULLIF(%s, '')
GROUP BY 2, 3

-- name: part_counts
SELECT {part} AS part, 'counts' AS what,
  CASE WHEN status = 'pending' AND scheduled_time > LOCALTIMESTAMP(3) THEN 'scheduled' ELSE CAST(status AS text) END
    AS name,
  COUNT(*) AS number
FROM {jobs}
WHERE {restriction}
GROUP BY 3

-- name: part_keys
-- Every key of the restricted key_source by where it is: in the target, queued, or new.
SELECT {part} AS part, 'keys' AS what,
  CASE WHEN EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k}) THEN 'made'
    WHEN EXISTS (SELECT 1 FROM {jobs} AS j WHERE {j_is_k}) THEN 'queued'
    ELSE 'new' END AS name,
  COUNT(*) AS number
FROM ({restricted_key_source}) AS k
GROUP BY 3

-- name: part_some
-- Whether another statement would find any.
SELECT {part} AS part, {what} AS what, '' AS name, COUNT(*) AS number FROM ({select}) AS few
