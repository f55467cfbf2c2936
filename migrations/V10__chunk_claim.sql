-- Chunks of a seed that its leader has put up for whoever shares the copy. The row goes in the transaction that loads the
-- chunk; every claim raises `epoch`, by which a process that lost its claim is told apart.
CREATE TABLE IF NOT EXISTS chunk_claim (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seq INT UNSIGNED NOT NULL,
  lease_epoch BIGINT UNSIGNED NOT NULL COMMENT 'epoch of the leader that put it up',
  plan_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL DEFAULT 0,
  member VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'who has claimed it; empty: nobody',
  expires_at DATETIME(6) NULL COMMENT 'target clock: from then on anybody may claim it',
  UNIQUE KEY by_chunk (lane, schema_name, table_name, seq),
  KEY by_order (lane, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
