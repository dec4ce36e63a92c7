-- The queue on MySQL (8.0.1 and later) and MariaDB (10.6 and later).
--
-- {jobs}, {target}, {attempts}, {key} and the like are names and SQL that the table fills in; %s are values.
-- Locks are taken by the index (status, priority, scheduled_time) in its own order, or by primary key, never
-- otherwise: a filesort or a scan would lock every row it passes. Hence FORCE INDEX.

-- name: describe_session
SELECT @@version, CONNECTION_ID(), USER()

-- name: end_session
KILL %s

-- name: take_turn
SELECT GET_LOCK('populate turn', @@SESSION.lock_wait_timeout)

-- name: describe_binlog
SELECT @@log_bin, @@binlog_format

-- name: due_index
-- The name of the index that serves reserve, or no row.
SELECT index_name
FROM information_schema.statistics
WHERE table_schema = %s AND table_name = %s
GROUP BY index_name
HAVING GROUP_CONCAT(LOWER(column_name) ORDER BY seq_in_index) = 'status,priority,scheduled_time'

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
  key_hash CHAR(40) CHARACTER SET ascii NOT NULL,
  attempts INT NOT NULL,
  last_failed DATETIME(3) NOT NULL,
  PRIMARY KEY (jobs_table, key_hash)
)

-- name: attempts_exist
SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s

-- name: due
-- The idle look: is there anything for us?
SELECT 1
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3) AND {restriction}
LIMIT 1

-- name: pick
-- The most urgent due rows, locked; rows that others hold are passed over.
SELECT {key}, error_message, CURRENT_TIMESTAMP(3)
FROM {jobs} {due_index}
WHERE status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3)
ORDER BY priority, scheduled_time
LIMIT %s
FOR UPDATE SKIP LOCKED

-- name: candidates
-- Due rows that meet the restriction, in order of urgency, without locks.
SELECT {key}, priority, scheduled_time
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3) AND {restriction}
ORDER BY priority, scheduled_time
LIMIT %s

-- name: candidates_from
-- The same, but for what comes before a place in that order.
SELECT {key}, priority, scheduled_time
FROM {jobs}
WHERE status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3) AND {restriction}
  AND (priority > %s OR (priority = %s AND scheduled_time >= %s))
ORDER BY priority, scheduled_time
LIMIT %s

-- name: lock
-- Those of the candidates that are still free.
SELECT {key}, error_message, CURRENT_TIMESTAMP(3)
FROM {jobs} FORCE INDEX (PRIMARY)
WHERE ({keys}) AND status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3)
LIMIT %s
FOR UPDATE SKIP LOCKED

-- name: mark_reserved
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'reserved', reserved_time = %s, host = %s, pid = %s, connection_id = %s, `user` = %s, version = %s
WHERE {keys}

-- name: owned
-- Which rows are still ours, and which of these the target has.
SELECT {j_key}, EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_j})
FROM {jobs} AS j FORCE INDEX (PRIMARY)
WHERE {fenced}

-- name: lock_owned
SELECT 1 FROM {jobs} FORCE INDEX (PRIMARY) WHERE {fenced} FOR UPDATE

-- name: in_target
SELECT DISTINCT {key} FROM {target} WHERE {keys}

-- name: in_key_source
-- Not for long: MariaDB is told so by what is a comment to MySQL, and the other way round.
/*M! SET STATEMENT max_statement_time = {seconds} FOR */
SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */ DISTINCT {key} FROM ({key_source}) AS k WHERE {keys}

-- name: unmade
-- Those that have a row, and not one that says success.
SELECT {key} FROM {jobs} FORCE INDEX (PRIMARY) WHERE ({keys}) AND status <> 'success'

-- name: delete_owned
DELETE {jobs} FROM {jobs} FORCE INDEX (PRIMARY) WHERE {fenced}

-- name: mark_success
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'success', completed_time = CURRENT_TIMESTAMP(3), duration = CASE {durations} END
WHERE {fenced}

-- name: mark_ended
-- To error or ignore, with the reason.
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = %s, completed_time = CURRENT_TIMESTAMP(3), error_message = %s, error_stack = %s
WHERE {fenced}

-- name: mark_retry
-- Pending again after a back-off; the message stays for all to read.
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'pending', scheduled_time = CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND,
    error_message = %s, error_stack = %s,
    reserved_time = NULL, host = '', pid = 0, connection_id = 0
WHERE {fenced}

-- name: mark_released
-- Pending again at once.
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'pending', reserved_time = NULL, host = '', pid = 0, connection_id = 0
WHERE {fenced}

-- name: mark_suspect
-- To run alone, once it is pending again.
UPDATE {jobs} FORCE INDEX (PRIMARY) SET error_message = %s WHERE {fenced}

-- name: held_by
-- The fences of rows reserved under these hosts.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts})

-- name: held_by_before
-- The same, of rows reserved more than so many seconds ago.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts}) AND reserved_time < CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND

-- name: held_by_unseen
-- The same, of rows whose worker is not seen: neither the session that reserved them, nor any of its account from the
-- same address. A user sees its own sessions; behind a proxy that hides even these no row is found. The list has the
-- port after the last colon of an address, which may have others in it; a local socket has none.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND host IN ({hosts})
  AND SUBSTRING_INDEX(CAST(user AS BINARY), '@', 1) = SUBSTRING_INDEX(CAST(USER() AS BINARY), '@', 1)
  AND CONNECTION_ID() IN (SELECT p.id FROM information_schema.processlist p)
  AND ({gone})
  AND CAST(user AS BINARY) NOT IN (
    SELECT CAST(CONCAT(p.user, '@', SUBSTRING_INDEX(
      p.host, ':', GREATEST(1, CHAR_LENGTH(p.host) - CHAR_LENGTH(REPLACE(p.host, ':', ''))))) AS BINARY)
    FROM information_schema.processlist p)

-- name: gone
-- The session that reserved a row, as far as we see. Without the right PROCESS a user sees only sessions of its own. An
-- id that is seen is somebody else's where the server has been started since, for they begin anew. (Each of MySQL and
-- MariaDB takes for a comment where the other has its uptime.)
connection_id NOT IN (SELECT p.id FROM information_schema.processlist p)
    OR reserved_time < CURRENT_TIMESTAMP(3) - INTERVAL (
      SELECT variable_value + 1
      FROM /*!80000 performance_schema.global_status */ /*M! information_schema.global_status */
      WHERE variable_name = 'Uptime') SECOND

-- name: orphaned
-- The fences of rows reserved long ago by hosts that are neither ours nor other operators' workers, and whose session
-- is gone.
SELECT {key}, host, pid, connection_id, reserved_time, error_message
FROM {jobs}
WHERE status = 'reserved' AND {restriction}
  AND reserved_time < CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND
  AND RIGHT(host, CHAR_LENGTH(%s)) <> %s AND host NOT LIKE %s
  AND ({gone})

-- name: count_attempt
INSERT INTO {attempts} (jobs_table, key_hash, attempts, last_failed)
VALUES (%s, %s, 1, CURRENT_TIMESTAMP(3))
ON DUPLICATE KEY UPDATE attempts = attempts + 1, last_failed = CURRENT_TIMESTAMP(3)

-- name: attempts
SELECT attempts FROM {attempts} WHERE jobs_table = %s AND key_hash = %s

-- name: forget_attempts
DELETE FROM {attempts} WHERE jobs_table = %s AND key_hash IN ({hashes})

-- name: forget_old_attempts
DELETE FROM {attempts} WHERE jobs_table = %s AND last_failed < CURRENT_TIMESTAMP(3) - INTERVAL 30 DAY

-- name: new_keys
-- What there is to do and nobody has queued.
SELECT {k_key}
FROM ({restricted_key_source}) AS k
WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k})
  AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE {j_is_k})

-- name: add_new
-- So many of new_keys at most, passing over those that somebody queues at the same moment.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {k_key}, 'pending', %s, CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND
FROM ({restricted_key_source}) AS k
WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k})
  AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE {j_is_k})
LIMIT %s
ON DUPLICATE KEY UPDATE status = {jobs}.status

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
   OR (j.status = 'pending' AND %s > 0 AND j.created_time < CURRENT_TIMESTAMP - INTERVAL %s SECOND)
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
        AND %s > 0 AND j.created_time < CURRENT_TIMESTAMP - INTERVAL %s SECOND)
  )
  AND NOT EXISTS (SELECT 1 FROM ({key_source}) AS k WHERE {j_is_k})
LIMIT %s

-- name: stage
CREATE TEMPORARY TABLE {stage} (populate_row BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) {select}

-- name: stage_size
SELECT COALESCE(MAX(populate_row), 0) FROM {stage}

-- name: unstage
DROP TEMPORARY TABLE IF EXISTS {stage}

-- name: due_time
SELECT CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND

-- name: add_staged
-- A plain INSERT: nearly always nobody else has queued the keys since they were staged.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {s_key}, 'pending', %s, %s
FROM {stage} AS s
WHERE s.populate_row BETWEEN %s AND %s

-- name: add_staged_missing
-- The same, passing over keys that somebody has queued meanwhile.
INSERT INTO {jobs} ({key}, status, priority, scheduled_time)
SELECT {s_key}, 'pending', %s, %s
FROM {stage} AS s
WHERE s.populate_row BETWEEN %s AND %s
ON DUPLICATE KEY UPDATE status = {jobs}.status

-- name: ignore_keys
INSERT INTO {jobs} ({key}, status, priority)
VALUES {key_values}
ON DUPLICATE KEY UPDATE status = IF({jobs}.status = 'reserved', {jobs}.status, 'ignore')

-- name: count_ignored
SELECT COUNT(*) FROM {jobs} FORCE INDEX (PRIMARY) WHERE ({keys}) AND status = 'ignore'

-- name: re_pend_keys
-- As DataJoint does by deleting and inserting: nothing of the earlier run is left.
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'pending', priority = %s, created_time = CURRENT_TIMESTAMP(3),
    scheduled_time = CURRENT_TIMESTAMP(3), reserved_time = NULL, completed_time = NULL, duration = NULL,
    error_message = '', error_stack = NULL, `user` = '', host = '', pid = 0, connection_id = 0,
    version = ''
WHERE ({keys}) AND status = 'success'

-- name: delete_keys
DELETE {jobs} FROM {jobs} FORCE INDEX (PRIMARY)
WHERE ({keys}) AND status <> 'reserved' AND (status <> 'ignore' OR error_message = %s)

-- name: less_urgent
-- Pending rows that are less urgent than they should be, or that still have the priority this PopulateJob gave before.
SELECT {key}
FROM {jobs}
WHERE status = 'pending' AND (priority > %s OR priority = %s) AND priority <> %s AND {restriction}
LIMIT %s

-- name: set_priority
UPDATE {jobs} FORCE INDEX (PRIMARY) SET priority = %s WHERE ({keys}) AND status = 'pending'

-- name: error_keys
SELECT {key}
FROM {jobs}
WHERE status = 'error' AND {restriction} AND LOCATE(%s, error_message) > 0
LIMIT %s

-- name: retry_keys
UPDATE {jobs} FORCE INDEX (PRIMARY)
SET status = 'pending', scheduled_time = CURRENT_TIMESTAMP(3), reserved_time = NULL, completed_time = NULL,
    error_message = '', error_stack = NULL, host = '', pid = 0, connection_id = 0
WHERE ({keys}) AND status = 'error'

-- name: ignore_error_keys
UPDATE {jobs} FORCE INDEX (PRIMARY) SET status = 'ignore' WHERE ({keys}) AND status = 'error'

-- name: pending_keys
SELECT {key} FROM {jobs} WHERE status = 'pending' AND {restriction} LIMIT %s

-- name: remove_pending_keys
DELETE {jobs} FROM {jobs} FORCE INDEX (PRIMARY) WHERE ({keys}) AND status = 'pending'

-- name: errors
-- Of many: as much of the message as tells one kind from another.
SELECT {key}, LEFT(error_message, 512) FROM {jobs} WHERE status = 'error' AND {restriction} LIMIT %s

-- name: messages
SELECT {key}, error_message FROM {jobs} WHERE {keys}

-- name: holds_rows
SELECT EXISTS (SELECT 1 FROM {jobs}) OR EXISTS (SELECT 1 FROM {target})

-- name: progress
SELECT COUNT(*), COALESCE(SUM(EXISTS (SELECT 1 FROM {target} AS t WHERE {t_is_k})), 0)
FROM ({restricted_key_source}) AS k

-- The statements below are for many tables at a time: those of each are joined to those of the others by UNION ALL.
-- Their columns are the number of the table, what was counted, of which name, and how many. Each schema may have a
-- collation of its own, hence CONVERT and COLLATE.

-- name: part_ready
SELECT {part} AS part, 'ready' AS what, '' AS name, COUNT(*) AS number
FROM (
  SELECT 1
  FROM {jobs}
  WHERE status = 'pending' AND scheduled_time <= CURRENT_TIMESTAMP(3) AND {restriction}
  LIMIT %s
) AS few

-- name: part_held
-- Rows that do not meet the restriction are told of hosts that end so alone; of none, where that is empty.
SELECT {part} AS part, CASE WHEN met THEN 'held' ELSE 'outside' END AS what,
  CONVERT(host USING utf8mb4) COLLATE utf8mb4_bin AS name, COUNT(*) AS number
FROM (SELECT host, {restriction} AS met FROM {jobs} WHERE status = 'reserved') AS reserved_rows
WHERE met OR RIGHT(host, CHAR_LENGTH(%s)) = NULLIF(%s, '')
GROUP BY 2, 3

-- name: part_counts
SELECT {part} AS part, 'counts' AS what,
  IF(status = 'pending' AND scheduled_time > CURRENT_TIMESTAMP(3), 'scheduled', CONVERT(status USING utf8mb4))
    COLLATE utf8mb4_bin AS name,
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
