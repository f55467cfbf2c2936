-- Harbor: Leeward's own sample database, a ship chandler with shops in many ports.
--
-- Written for this project.  Loads unchanged on MariaDB >= 10.6 and MySQL >= 8.0.23.
-- Order: schema.sql (tables, views), data.sql (rows, the same on every load), programs.sql (triggers, routines, event).
-- It deliberately holds every class and key shape that Leeward must keep right; each table says in one line what it stands for.

SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET @harbor_old_sql_mode = @@sql_mode;
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';

DROP DATABASE IF EXISTS harbor;
CREATE DATABASE harbor CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE harbor;

-- ------------------------------------------------------------------ static reference tables

-- Static, CHAR key in ascii.
CREATE TABLE currency (
  code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(40) NOT NULL,
  minor_digits TINYINT UNSIGNED NOT NULL DEFAULT 2,
  PRIMARY KEY (code)
) ENGINE=InnoDB;

-- Static, foreign key to a string key.
CREATE TABLE country (
  code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(60) NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (code),
  UNIQUE KEY country_name (name),
  CONSTRAINT country_currency FOREIGN KEY (currency_code) REFERENCES currency (code) ON UPDATE CASCADE
) ENGINE=InnoDB;

-- Static, spatial index over points.
CREATE TABLE port (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  unlocode CHAR(5) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
  country_code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(60) NOT NULL,
  position POINT NOT NULL /*!80003 SRID 0 */,
  tide_offset TIME(3) NOT NULL DEFAULT '00:00:00.000',
  PRIMARY KEY (id),
  UNIQUE KEY port_unlocode (unlocode),
  SPATIAL KEY port_position (position),
  KEY port_country (country_code),
  CONSTRAINT port_country FOREIGN KEY (country_code) REFERENCES country (code)
) ENGINE=InnoDB;

-- Static, polygons; the foreign key cascades.
CREATE TABLE berth (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  port_id SMALLINT UNSIGNED NOT NULL,
  label VARCHAR(12) NOT NULL,
  outline POLYGON NOT NULL /*!80003 SRID 0 */,
  draught_m DECIMAL(4,1) NOT NULL,
  fittings SET('water','power','crane','fuel','pump-out') NOT NULL DEFAULT '',
  PRIMARY KEY (id),
  UNIQUE KEY berth_label (port_id, label),
  SPATIAL KEY berth_outline (outline),
  CONSTRAINT berth_port FOREIGN KEY (port_id) REFERENCES port (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Static, self-referencing tree; holds the row with id 0.
CREATE TABLE category (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  parent_id SMALLINT UNSIGNED NULL,
  name VARCHAR(60) NOT NULL,
  PRIMARY KEY (id),
  KEY category_parent (parent_id),
  CONSTRAINT category_parent FOREIGN KEY (parent_id) REFERENCES category (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Small, no key at all, with identical rows.
CREATE TABLE dock_sign (
  port_name VARCHAR(60) NULL,
  wording VARCHAR(120) NULL,
  lit BIT(1) NULL
) ENGINE=InnoDB;

-- Names that must be quoted: a space, a backtick, reserved words, letters outside ASCII.
CREATE TABLE `tide log` (
  `key` INT NOT NULL,
  `we``ird` VARCHAR(20) NULL,
  `Größe` DOUBLE NULL,
  `select` YEAR NULL,
  PRIMARY KEY (`key`)
) ENGINE=InnoDB;

-- ------------------------------------------------------------------ people and partners

-- Upd/del with an indexed microsecond clock; a virtual column with an index and an invisible column.
CREATE TABLE customer (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  email VARCHAR(120) NOT NULL,
  full_name VARCHAR(80) NOT NULL,
  country_code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  credit_limit DECIMAL(12,2) NOT NULL DEFAULT 0,
  preferences JSON NULL,
  email_domain VARCHAR(120) GENERATED ALWAYS AS (SUBSTRING_INDEX(email, '@', -1)) VIRTUAL,
  risk_score SMALLINT NOT NULL DEFAULT 0 INVISIBLE,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY customer_email (email),
  KEY customer_domain (email_domain),
  KEY customer_country (country_code),
  KEY customer_updated (updated_at),
  CONSTRAINT customer_country FOREIGN KEY (country_code) REFERENCES country (code)
) ENGINE=InnoDB;

-- Upd/del, composite key with an ENUM in it; the clock has whole seconds.
CREATE TABLE customer_address (
  customer_id INT UNSIGNED NOT NULL,
  kind ENUM('invoice','delivery','agent','ship''s master') NOT NULL,
  line1 VARCHAR(100) NOT NULL,
  line2 VARCHAR(100) NULL,
  country_code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (customer_id, kind),
  KEY customer_address_updated (updated_at),
  KEY customer_address_country (country_code),
  CONSTRAINT customer_address_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE,
  CONSTRAINT customer_address_country FOREIGN KEY (country_code) REFERENCES country (code)
) ENGINE=InnoDB;

-- Upd/del with soft deletes.
CREATE TABLE customer_note (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id INT UNSIGNED NOT NULL,
  body TEXT NOT NULL,
  deleted_at TIMESTAMP(6) NULL DEFAULT NULL,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY customer_note_updated (updated_at),
  KEY customer_note_customer (customer_id),
  FULLTEXT KEY customer_note_body (body),
  CONSTRAINT customer_note_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- String key in a case- and accent-insensitive collation; the key is changed with a cascade.
CREATE TABLE loyalty_card (
  member_code VARCHAR(24) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
  customer_id INT UNSIGNED NULL,
  points INT NOT NULL DEFAULT 0,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (member_code),
  KEY loyalty_card_updated (updated_at),
  KEY loyalty_card_customer (customer_id),
  CONSTRAINT loyalty_card_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE SET NULL
) ENGINE=InnoDB;

-- No clock of its own; changed by a cascade that leaves no event in this table.
CREATE TABLE loyalty_movement (
  member_code VARCHAR(24) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
  movement_no INT UNSIGNED NOT NULL,
  points INT NOT NULL,
  reason CHAR(12) NOT NULL DEFAULT '',
  PRIMARY KEY (member_code, movement_no),
  CONSTRAINT loyalty_movement_card FOREIGN KEY (member_code) REFERENCES loyalty_card (member_code)
    ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB;

-- The clock is written by the application and may be NULL: not to be trusted.
CREATE TABLE supplier (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(80) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL,
  home_port_id SMALLINT UNSIGNED NULL,
  rating FLOAT NOT NULL DEFAULT 0,
  updated_at DATETIME(3) NULL DEFAULT NULL,
  PRIMARY KEY (id),
  KEY supplier_port (home_port_id),
  CONSTRAINT supplier_port FOREIGN KEY (home_port_id) REFERENCES port (id) ON DELETE SET NULL
) ENGINE=InnoDB;

-- Cyclic foreign keys: a ship has a captain, a crew member has a ship.
CREATE TABLE ship (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  imo_number INT UNSIGNED NULL,
  name VARCHAR(60) NOT NULL,
  owner_id INT UNSIGNED NOT NULL,
  captain_id INT UNSIGNED NULL,
  gross_tonnage INT UNSIGNED NOT NULL,
  built YEAR NULL,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY ship_imo (imo_number),
  KEY ship_owner (owner_id),
  KEY ship_captain (captain_id),
  KEY ship_updated (updated_at),
  CONSTRAINT ship_owner FOREIGN KEY (owner_id) REFERENCES customer (id)
) ENGINE=InnoDB;

-- The other half of the cycle, and a self reference; its clock has no index.
CREATE TABLE crew_member (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  ship_id INT UNSIGNED NOT NULL,
  reports_to INT UNSIGNED NULL,
  full_name VARCHAR(80) NOT NULL,
  trade ENUM('deck','engine','galley','bridge') NOT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  KEY crew_member_ship (ship_id),
  KEY crew_member_reports_to (reports_to),
  CONSTRAINT crew_member_ship FOREIGN KEY (ship_id) REFERENCES ship (id) ON DELETE CASCADE,
  CONSTRAINT crew_member_reports_to FOREIGN KEY (reports_to) REFERENCES crew_member (id) ON DELETE SET NULL
) ENGINE=InnoDB;
ALTER TABLE ship ADD CONSTRAINT ship_captain FOREIGN KEY (captain_id) REFERENCES crew_member (id) ON DELETE SET NULL;

-- ------------------------------------------------------------------ goods

-- Upd/del, full-text index, SET column, latin1 column, virtual and stored columns.
CREATE TABLE product (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  sku VARCHAR(20) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
  category_id SMALLINT UNSIGNED NOT NULL,
  supplier_id INT UNSIGNED NULL,
  name VARCHAR(100) NOT NULL,
  french_name VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_general_ci NULL,
  description TEXT NULL,
  hazards SET('flammable','corrosive','pressurised','toxic') NULL,
  weight_kg DECIMAL(30,10) NOT NULL DEFAULT 0,
  length_mm DOUBLE NULL,
  attributes JSON NULL,
  weight_g DECIMAL(33,7) GENERATED ALWAYS AS (weight_kg * 1000) STORED,
  colour VARCHAR(20) GENERATED ALWAYS AS (JSON_UNQUOTE(JSON_EXTRACT(attributes, '$.colour'))) VIRTUAL,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  UNIQUE KEY product_sku (sku),
  KEY product_category (category_id),
  KEY product_supplier (supplier_id),
  KEY product_updated (updated_at),
  FULLTEXT KEY product_words (name, description),
  CONSTRAINT product_category FOREIGN KEY (category_id) REFERENCES category (id),
  CONSTRAINT product_supplier FOREIGN KEY (supplier_id) REFERENCES supplier (id) ON DELETE SET NULL
) ENGINE=InnoDB;

-- Upd/del, three-part key; thousands of rows share one updated_at of whole seconds (a bulk update).
CREATE TABLE product_price (
  product_id INT UNSIGNED NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  valid_from DATE NOT NULL,
  amount DECIMAL(14,4) NOT NULL,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (product_id, currency_code, valid_from),
  KEY product_price_updated (updated_at),
  KEY product_price_currency (currency_code),
  CONSTRAINT product_price_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE CASCADE,
  CONSTRAINT product_price_currency FOREIGN KEY (currency_code) REFERENCES currency (code)
) ENGINE=InnoDB;

-- Static, one warehouse per port.
CREATE TABLE warehouse (
  id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  port_id SMALLINT UNSIGNED NOT NULL,
  name VARCHAR(60) NOT NULL,
  opens TIME NOT NULL DEFAULT '06:00:00',
  PRIMARY KEY (id),
  KEY warehouse_port (port_id),
  CONSTRAINT warehouse_port FOREIGN KEY (port_id) REFERENCES port (id)
) ENGINE=InnoDB;

-- Upd/del, hot: composite key, stored column, indexed microsecond clock.
CREATE TABLE stock (
  warehouse_id TINYINT UNSIGNED NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  on_hand INT NOT NULL DEFAULT 0,
  reserved INT NOT NULL DEFAULT 0,
  available INT GENERATED ALWAYS AS (on_hand - reserved) STORED,
  shelf BINARY(4) NULL,
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (warehouse_id, product_id),
  KEY stock_product (product_id),
  KEY stock_updated (updated_at),
  KEY stock_available (available),
  CONSTRAINT stock_warehouse FOREIGN KEY (warehouse_id) REFERENCES warehouse (id),
  CONSTRAINT stock_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Large values: up to some hundred kilobytes in a row.
CREATE TABLE document (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  product_id INT UNSIGNED NULL,
  title VARCHAR(100) NOT NULL,
  body LONGTEXT NULL,
  scan MEDIUMBLOB NULL,
  digest BINARY(32) NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY document_title (title(20)),
  KEY document_product (product_id),
  CONSTRAINT document_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE SET NULL
) ENGINE=InnoDB;

-- ------------------------------------------------------------------ sales

-- Upd/del; a reserved word for a name, a check constraint, a descending index.
CREATE TABLE `order` (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id INT UNSIGNED NOT NULL,
  ship_id INT UNSIGNED NULL,
  warehouse_id TINYINT UNSIGNED NOT NULL,
  status ENUM('new','picked','loaded','paid','cancelled') NOT NULL DEFAULT 'new',
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'EUR',
  total DECIMAL(14,2) NOT NULL DEFAULT 0,
  placed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY order_customer (customer_id, placed_at DESC),
  KEY order_ship (ship_id),
  KEY order_warehouse (warehouse_id),
  KEY order_currency (currency_code),
  KEY order_updated (updated_at),
  CONSTRAINT order_total CHECK (total >= 0),
  CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customer (id),
  CONSTRAINT order_ship FOREIGN KEY (ship_id) REFERENCES ship (id) ON DELETE SET NULL,
  CONSTRAINT order_warehouse FOREIGN KEY (warehouse_id) REFERENCES warehouse (id),
  CONSTRAINT order_currency FOREIGN KEY (currency_code) REFERENCES currency (code)
) ENGINE=InnoDB;

-- Upd/del; rows vanish by cascade.
CREATE TABLE order_line (
  order_id BIGINT UNSIGNED NOT NULL,
  line_no SMALLINT UNSIGNED NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  quantity INT NOT NULL,
  unit_price DECIMAL(14,4) NOT NULL,
  line_total DECIMAL(20,4) GENERATED ALWAYS AS (quantity * unit_price) STORED,
  updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (order_id, line_no),
  KEY order_line_product (product_id),
  KEY order_line_updated (updated_at),
  CONSTRAINT order_line_order FOREIGN KEY (order_id) REFERENCES `order` (id) ON DELETE CASCADE,
  CONSTRAINT order_line_product FOREIGN KEY (product_id) REFERENCES product (id)
) ENGINE=InnoDB;

-- Insert-only.
CREATE TABLE payment (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id BIGINT UNSIGNED NOT NULL,
  method ENUM('card','transfer','cash','letter of credit') NOT NULL,
  amount DECIMAL(14,2) NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY payment_order (order_id),
  KEY payment_created (created_at),
  CONSTRAINT payment_order FOREIGN KEY (order_id) REFERENCES `order` (id)
) ENGINE=InnoDB;

-- Upd/del, BINARY(16) UUID key with an expression default; deletes leave tombstones.
CREATE TABLE cart (
  id BINARY(16) NOT NULL DEFAULT (UNHEX(REPLACE(UUID(), '-', ''))),
  customer_id INT UNSIGNED NULL,
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'EUR',
  updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY cart_customer (customer_id),
  KEY cart_updated (updated_at),
  CONSTRAINT cart_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Upd/del without any clock: reconcile.
CREATE TABLE cart_line (
  cart_id BINARY(16) NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  quantity SMALLINT NOT NULL DEFAULT 1,
  PRIMARY KEY (cart_id, product_id),
  KEY cart_line_product (product_id),
  CONSTRAINT cart_line_cart FOREIGN KEY (cart_id) REFERENCES cart (id) ON DELETE CASCADE,
  CONSTRAINT cart_line_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Tombstones of cart, written by a trigger.
CREATE TABLE cart_tombstone (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  cart_id BINARY(16) NOT NULL,
  deleted_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY cart_tombstone_deleted (deleted_at)
) ENGINE=InnoDB;

-- No clock, VARBINARY key, partitioned by key; upserted and purged all day.
CREATE TABLE session (
  token VARBINARY(32) NOT NULL,
  customer_id INT UNSIGNED NULL,
  payload BLOB NULL,
  expires_at DATETIME NOT NULL,
  PRIMARY KEY (token)
) ENGINE=InnoDB
PARTITION BY KEY (token) PARTITIONS 4;

-- Only a nullable unique key: several rows without a code.
CREATE TABLE voucher (
  code VARCHAR(20) NULL,
  percent_off DECIMAL(5,2) NOT NULL,
  valid_until DATE NULL,
  UNIQUE KEY voucher_code (code)
) ENGINE=InnoDB;

-- ------------------------------------------------------------------ ledgers and measurements

-- Insert-only: audit trail with JSON detail.
CREATE TABLE audit_trail (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  actor VARCHAR(40) NOT NULL,
  action ENUM('insert','update','delete','login') NOT NULL,
  subject VARCHAR(64) NOT NULL,
  detail JSON NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY audit_trail_created (created_at)
) ENGINE=InnoDB;

-- Insert-only: money, TIMESTAMP(6).
CREATE TABLE ledger_entry (
  id BIGINT NOT NULL AUTO_INCREMENT,
  account CHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount DECIMAL(18,4) NOT NULL,
  order_id BIGINT UNSIGNED NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY ledger_entry_account (account, created_at)
) ENGINE=InnoDB;

-- Insert-only, partitioned by range; the key ends in the time.
CREATE TABLE gate_reading (
  gate_no SMALLINT UNSIGNED NOT NULL,
  read_at DATETIME(3) NOT NULL,
  direction BIT(2) NOT NULL,
  axle_load_t FLOAT NULL,
  PRIMARY KEY (gate_no, read_at)
) ENGINE=InnoDB
PARTITION BY RANGE COLUMNS (read_at) (
  PARTITION y2023 VALUES LESS THAN ('2024-01-01'),
  PARTITION y2024h1 VALUES LESS THAN ('2024-07-01'),
  PARTITION y2024h2 VALUES LESS THAN ('2025-01-01'),
  PARTITION later VALUES LESS THAN (MAXVALUE)
);

-- Upd/del with a clock, partitioned by hash; ids are sparse (steps of a hundred million).
CREATE TABLE meter (
  id BIGINT NOT NULL,
  port_id SMALLINT UNSIGNED NOT NULL,
  reading DOUBLE NOT NULL,
  updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY meter_updated (updated_at)
) ENGINE=InnoDB
PARTITION BY HASH (id) PARTITIONS 3;

-- Ids above 2^63.
CREATE TABLE container_seal (
  seal_no BIGINT UNSIGNED NOT NULL,
  port_id SMALLINT UNSIGNED NOT NULL,
  broken BOOLEAN NOT NULL DEFAULT FALSE,
  updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  PRIMARY KEY (seal_no),
  KEY container_seal_updated (updated_at)
) ENGINE=InnoDB;

-- ------------------------------------------------------------------ one column of each type

-- Every type of column; rows hold extremes and hostile values.
CREATE TABLE types (
  id INT NOT NULL,
  t_tinyint TINYINT NULL,
  t_smallint SMALLINT NULL,
  t_mediumint MEDIUMINT NULL,
  t_int INT NULL,
  t_bigint BIGINT NULL,
  t_tinyint_u TINYINT UNSIGNED NULL,
  t_smallint_u SMALLINT UNSIGNED NULL,
  t_mediumint_u MEDIUMINT UNSIGNED NULL,
  t_int_u INT UNSIGNED NULL,
  t_bigint_u BIGINT UNSIGNED NULL,
  t_bool BOOLEAN NULL,
  t_decimal DECIMAL(30,10) NULL,
  t_decimal_wide DECIMAL(65,30) NULL,
  t_float FLOAT NULL,
  t_double DOUBLE NULL,
  t_bit1 BIT(1) NULL,
  t_bit9 BIT(9) NULL,
  t_bit64 BIT(64) NULL,
  t_date DATE NULL,
  t_time TIME NULL,
  t_time3 TIME(3) NULL,
  t_time6 TIME(6) NULL,
  t_datetime DATETIME NULL,
  t_datetime6 DATETIME(6) NULL,
  t_timestamp TIMESTAMP NULL DEFAULT NULL,
  t_timestamp6 TIMESTAMP(6) NULL DEFAULT NULL,
  t_year YEAR NULL,
  t_char CHAR(10) NULL,
  t_varchar VARCHAR(100) NULL,
  t_binary BINARY(8) NULL,
  t_varbinary VARBINARY(256) NULL,
  t_tinyblob TINYBLOB NULL,
  t_blob BLOB NULL,
  t_mediumblob MEDIUMBLOB NULL,
  t_longblob LONGBLOB NULL,
  t_tinytext TINYTEXT NULL,
  t_text TEXT NULL,
  t_mediumtext MEDIUMTEXT NULL,
  t_longtext LONGTEXT NULL,
  t_enum ENUM('small','Größe','comma, quote '' and \\','') NULL,
  t_set SET('a','b','été','d e') NULL,
  t_json JSON NULL,
  t_point POINT NULL,
  t_linestring LINESTRING NULL,
  t_geometry GEOMETRY NULL,
  t_geometrycollection GEOMETRYCOLLECTION NULL
  /*M!100600 , t_inet6 INET6 NULL */
  /*M!100700 , t_uuid UUID NULL */
  /*!90000 , t_vector VECTOR(3) NULL */
  , PRIMARY KEY (id)
) ENGINE=InnoDB;

-- Every character set and collation family that Leeward must carry byte by byte.
CREATE TABLE texts (
  id INT NOT NULL AUTO_INCREMENT,
  c_latin1 VARCHAR(300) CHARACTER SET latin1 COLLATE latin1_swedish_ci NULL,
  c_latin1_bin VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin NULL,
  c_general VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL,
  c_unicode VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NULL,
  c_bin VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  c_utf16 VARCHAR(100) CHARACTER SET utf16 COLLATE utf16_general_ci NULL,
  c_gbk VARCHAR(100) CHARACTER SET gbk COLLATE gbk_chinese_ci NULL,
  c_sjis VARCHAR(100) CHARACTER SET sjis NULL,
  c_binary VARCHAR(100) CHARACTER SET binary NULL,
  c_ascii CHAR(20) CHARACTER SET ascii NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB;

-- An ENUM that holds the error value (index 0, shown as an empty text), left by an old server that was not strict.
CREATE TABLE legacy_flag (
  id INT NOT NULL,
  flag ENUM('yes','no') NOT NULL DEFAULT 'no',
  seen_on DATE NOT NULL DEFAULT '0000-00-00',
  PRIMARY KEY (id)
) ENGINE=InnoDB;

-- ------------------------------------------------------------------ views

CREATE VIEW order_summary AS
  SELECT o.id, c.full_name AS customer, o.status, o.currency_code, o.placed_at,
         COUNT(l.line_no) AS line_count, SUM(l.line_total) AS lines_total
  FROM `order` AS o
  JOIN customer AS c ON c.id = o.customer_id
  LEFT JOIN order_line AS l ON l.order_id = o.id
  GROUP BY o.id, c.full_name, o.status, o.currency_code, o.placed_at;

-- A view on a view; its name sorts before the view it needs.
CREATE VIEW customer_turnover AS
  SELECT customer, currency_code, COUNT(*) AS order_count, SUM(lines_total) AS turnover
  FROM order_summary
  WHERE status <> 'cancelled'
  GROUP BY customer, currency_code;

CREATE SQL SECURITY INVOKER VIEW stock_by_port AS
  SELECT p.name AS port, s.product_id, SUM(s.available) AS available
  FROM stock AS s
  JOIN warehouse AS w ON w.id = s.warehouse_id
  JOIN port AS p ON p.id = w.port_id
  GROUP BY p.name, s.product_id;

SET sql_mode = @harbor_old_sql_mode;
