-- The single writer of a lane. Every apply transaction reads its row FOR UPDATE and rolls back on another epoch.
CREATE TABLE IF NOT EXISTS lease (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  epoch BIGINT UNSIGNED NOT NULL,
  holder VARCHAR(255) NOT NULL,
  renewed_at DATETIME(6) NOT NULL,
  ttl_s INT UNSIGNED NOT NULL,
  promoted TINYINT NOT NULL DEFAULT 0 COMMENT '1: the target serves the application and may never be written again'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
