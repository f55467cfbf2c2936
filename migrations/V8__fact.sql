-- Documents of observed facts (JSON), so that readiness can judge when the source is gone.
CREATE TABLE IF NOT EXISTS fact (
  name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  stored_at DATETIME(6) NOT NULL,
  body LONGTEXT CHARACTER SET utf8mb4 NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
