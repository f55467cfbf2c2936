-- One row per chunk of the seed, written before it is copied and marked done in the transaction that loads it.
CREATE TABLE IF NOT EXISTS chunk (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seq INT UNSIGNED NOT NULL,
  after_key TEXT CHARACTER SET ascii NULL COMMENT 'exclusive lower border, cells in hex',
  upto_key TEXT CHARACTER SET ascii NULL COMMENT 'inclusive upper border, cells in hex',
  is_last TINYINT NOT NULL,
  done TINYINT NOT NULL DEFAULT 0,
  row_count BIGINT UNSIGNED NOT NULL DEFAULT 0,
  byte_count BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (lane, schema_name, table_name, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
