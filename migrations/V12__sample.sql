-- How old the last consistent cut became, the worst of each slot: a ring of minutes for a day, one of hours for ninety days.
-- A slot is overwritten when its ring comes round; `at` tells which round it holds.
CREATE TABLE IF NOT EXISTS sample (
  lane VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  grain_s INT UNSIGNED NOT NULL COMMENT 'width of the slot, seconds',
  slot INT UNSIGNED NOT NULL,
  at DATETIME(6) NOT NULL COMMENT 'target clock at the start of the slot',
  worst_ms BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (lane, grain_s, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
