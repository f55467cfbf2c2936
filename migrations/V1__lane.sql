-- One row per lane: where it stands. `record` is the whole record as JSON; the other columns are for people.
CREATE TABLE IF NOT EXISTS lane (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  state VARCHAR(16) NOT NULL,
  cycle BIGINT UNSIGNED NOT NULL,
  cut_at DATETIME(6) NULL COMMENT 'source clock of the last applied cut',
  applied_at DATETIME(6) NULL COMMENT 'target clock when it was applied',
  record LONGTEXT CHARACTER SET utf8mb4 NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
