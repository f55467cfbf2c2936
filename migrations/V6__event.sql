-- What happened: changes of state, repairs, contradictions, drift. Never row values.
CREATE TABLE IF NOT EXISTS event (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  at DATETIME(6) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  schema_name VARCHAR(64) NULL,
  table_name VARCHAR(64) NULL,
  text TEXT CHARACTER SET utf8mb4 NOT NULL,
  KEY by_lane (lane, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
