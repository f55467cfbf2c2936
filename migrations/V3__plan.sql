-- The plan that a lane follows; older ones are kept as evidence.
CREATE TABLE IF NOT EXISTS plan (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  hash CHAR(64) NOT NULL,
  stored_at DATETIME(6) NOT NULL,
  body LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  KEY by_lane (lane, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
