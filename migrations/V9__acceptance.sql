-- What a person has agreed to after the brake had stopped a table, the newest of each table. It counts only for the
-- evidence that it names. `record` is the whole acceptance as JSON; the other columns are for people.
CREATE TABLE IF NOT EXISTS acceptance (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  evidence BIGINT UNSIGNED NOT NULL COMMENT 'cycle that stopped the table',
  accepted_at DATETIME(6) NOT NULL,
  record LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (lane, schema_name, table_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
