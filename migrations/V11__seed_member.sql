-- Processes that help a seed's leader with the copy, as long as they renew their row.
CREATE TABLE IF NOT EXISTS seed_member (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  member VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  parallel INT UNSIGNED NOT NULL COMMENT 'chunks that it copies at once',
  expires_at DATETIME(6) NOT NULL COMMENT 'target clock: from then on it counts as gone',
  PRIMARY KEY (lane, member)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
