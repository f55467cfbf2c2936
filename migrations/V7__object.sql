-- Views, routines, triggers and events of the source as last seen; what readiness compares and promotion will create.
CREATE TABLE IF NOT EXISTS object (
  kind VARCHAR(16) NOT NULL,
  schema_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  object_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  record LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (kind, schema_name, object_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
