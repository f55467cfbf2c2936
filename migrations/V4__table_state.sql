-- One row per table of a lane: its state, its mark and its scrub. `record` is the whole record as JSON.
CREATE TABLE IF NOT EXISTS table_state (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state VARCHAR(16) NOT NULL,
  cut_at DATETIME(6) NULL COMMENT 'source clock of the cut that the table was last brought to',
  record LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (lane, schema_name, table_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
