-- Harbor: the rows.  Deterministic: every value is written here or computed from a counter, never from a clock or RAND(),
-- so two loads of one server kind are equal byte by byte (session.expires_at and the event are far from "now" for the same reason).

SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET @harbor_old_sql_mode = @@sql_mode;
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
SET foreign_key_checks = 0;
USE harbor;

-- The counter 1..10000.  Temporary: it is gone with the connection.
DROP TEMPORARY TABLE IF EXISTS counter;
DROP TEMPORARY TABLE IF EXISTS digit;
CREATE TEMPORARY TABLE digit (d INT NOT NULL PRIMARY KEY);
INSERT INTO digit VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
CREATE TEMPORARY TABLE counter (n INT NOT NULL PRIMARY KEY);
INSERT INTO counter SELECT d + 1 FROM digit;
DROP TEMPORARY TABLE digit;
CREATE TEMPORARY TABLE digit AS SELECT n FROM counter;
INSERT INTO counter SELECT n + 10 * d FROM digit JOIN (SELECT 1 AS d UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) AS tens;
DROP TEMPORARY TABLE digit;
CREATE TEMPORARY TABLE digit AS SELECT n FROM counter;
INSERT INTO counter SELECT n + 100 * d FROM digit JOIN (SELECT 1 AS d UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) AS hundreds;
DROP TEMPORARY TABLE digit;
CREATE TEMPORARY TABLE digit AS SELECT n FROM counter;
INSERT INTO counter SELECT n + 1000 * d FROM digit JOIN (SELECT 1 AS d UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) AS thousands;
DROP TEMPORARY TABLE digit;

-- ------------------------------------------------------------------ static reference tables

INSERT INTO currency VALUES
  ('EUR','Euro',2),('USD','US dollar',2),('GBP','Pound sterling',2),('JPY','Japanese yen',0),('CNY','Renminbi',2),('SEK','Swedish krona',2),
  ('NOK','Norwegian krone',2),('DKK','Danish krone',2),('SGD','Singapore dollar',2),('AUD','Australian dollar',2),('BRL','Brazilian real',2),('BHD','Bahraini dinar',3);

INSERT INTO country VALUES
  ('AE','United Arab Emirates','USD'),('AU','Australia','AUD'),('BE','Belgium','EUR'),('BH','Bahrain','BHD'),('BR','Brazil','BRL'),('CA','Canada','USD'),
  ('CI','Côte d’Ivoire','EUR'),('CL','Chile','USD'),('CN','中国','CNY'),('DE','Deutschland','EUR'),('DK','Danmark','DKK'),('EG','Egypt','USD'),
  ('ES','España','EUR'),('FI','Suomi','EUR'),('FR','France','EUR'),('GB','United Kingdom','GBP'),('GR','Ελλάδα','EUR'),('HR','Hrvatska','EUR'),
  ('IE','Éire','EUR'),('IN','India','USD'),('IS','Ísland','EUR'),('IT','Italia','EUR'),('JP','日本','JPY'),('KR','대한민국','USD'),
  ('MA','Morocco','EUR'),('MT','Malta','EUR'),('MX','México','USD'),('NL','Nederland','EUR'),('NO','Norge','NOK'),('PA','Panamá','USD'),
  ('PE','Perú','USD'),('PL','Polska','EUR'),('PT','Portugal','EUR'),('SE','Sverige','SEK'),('SG','Singapore','SGD'),('TR','Türkiye','EUR'),
  ('UA','Україна','EUR'),('US','United States','USD'),('UY','Uruguay','USD'),('ZA','South Africa','GBP');

INSERT INTO port (id, unlocode, country_code, name, position, tide_offset) VALUES
  (1,'NLRTM','NL','Rotterdam',ST_GeomFromText('POINT(4.48 51.92)'),'00:12:30.500'),(2,'BEANR','BE','Antwerpen',ST_GeomFromText('POINT(4.4 51.22)'),'01:02:00.000'),
  (3,'DEHAM','DE','Hamburg',ST_GeomFromText('POINT(9.97 53.54)'),'-02:10:00.250'),(4,'DEBRV','DE','Bremerhaven',ST_GeomFromText('POINT(8.58 53.54)'),'00:00:00.001'),
  (5,'FRLEH','FR','Le Havre',ST_GeomFromText('POINT(0.11 49.49)'),'-00:45:10.999'),(6,'FRMRS','FR','Marseille',ST_GeomFromText('POINT(5.37 43.3)'),'00:00:00.000'),
  (7,'GBFXT','GB','Felixstowe',ST_GeomFromText('POINT(1.35 51.96)'),'00:31:00.000'),(8,'GBSOU','GB','Southampton',ST_GeomFromText('POINT(-1.4 50.9)'),'-01:11:11.111'),
  (9,'ESALG','ES','Algeciras',ST_GeomFromText('POINT(-5.44 36.13)'),'00:00:00.000'),(10,'ESVLC','ES','València',ST_GeomFromText('POINT(-0.32 39.45)'),'00:00:00.000'),
  (11,'ITGOA','IT','Genova',ST_GeomFromText('POINT(8.92 44.41)'),'00:00:00.000'),(12,'GRPIR','GR','Πειραιάς',ST_GeomFromText('POINT(23.64 37.94)'),'00:00:00.000'),
  (13,'SEGOT','SE','Göteborg',ST_GeomFromText('POINT(11.97 57.71)'),'00:05:00.000'),(14,'NOBGO','NO','Bergen',ST_GeomFromText('POINT(5.32 60.39)'),'00:55:00.500'),
  (15,'DKAAR','DK','Århus',ST_GeomFromText('POINT(10.21 56.15)'),'00:20:00.000'),(16,'FIHEL','FI','Helsinki',ST_GeomFromText('POINT(24.94 60.17)'),'00:00:00.000'),
  (17,'PLGDN','PL','Gdańsk',ST_GeomFromText('POINT(18.65 54.35)'),'00:00:00.000'),(18,'PTLIS','PT','Lisboa',ST_GeomFromText('POINT(-9.14 38.72)'),'-00:30:00.000'),
  (19,'IEDUB','IE','Dublin',ST_GeomFromText('POINT(-6.26 53.35)'),'-00:02:00.000'),(20,'ISREY','IS','Reykjavík',ST_GeomFromText('POINT(-21.94 64.15)'),'03:00:00.000'),
  (21,'USNYC','US','New York',ST_GeomFromText('POINT(-74.02 40.7)'),'-05:00:00.000'),(22,'USLAX','US','Los Angeles',ST_GeomFromText('POINT(-118.27 33.74)'),'-08:00:00.000'),
  (23,'USSEA','US','Seattle',ST_GeomFromText('POINT(-122.34 47.61)'),'-08:20:00.000'),(24,'USHOU','US','Houston',ST_GeomFromText('POINT(-95.27 29.73)'),'-06:00:00.000'),
  (25,'CAVAN','CA','Vancouver',ST_GeomFromText('POINT(-123.11 49.29)'),'-08:10:00.000'),(26,'CAHAL','CA','Halifax',ST_GeomFromText('POINT(-63.57 44.65)'),'-04:00:00.000'),
  (27,'MXVER','MX','Veracruz',ST_GeomFromText('POINT(-96.13 19.2)'),'-06:00:00.000'),(28,'PABLB','PA','Balboa',ST_GeomFromText('POINT(-79.56 8.95)'),'-05:00:00.000'),
  (29,'BRSSZ','BR','Santos',ST_GeomFromText('POINT(-46.33 -23.96)'),'-03:00:00.000'),(30,'UYMVD','UY','Montevideo',ST_GeomFromText('POINT(-56.2 -34.9)'),'-03:00:00.000'),
  (31,'CLVAP','CL','Valparaíso',ST_GeomFromText('POINT(-71.63 -33.04)'),'-04:00:00.000'),(32,'PECLL','PE','Callao',ST_GeomFromText('POINT(-77.15 -12.05)'),'-05:00:00.000'),
  (33,'ZACPT','ZA','Cape Town',ST_GeomFromText('POINT(18.43 -33.9)'),'02:00:00.000'),(34,'ZADUR','ZA','Durban',ST_GeomFromText('POINT(31.03 -29.87)'),'02:10:00.000'),
  (35,'MACAS','MA','Casablanca',ST_GeomFromText('POINT(-7.61 33.6)'),'00:10:00.000'),(36,'CIABJ','CI','Abidjan',ST_GeomFromText('POINT(-4.02 5.29)'),'00:00:00.000'),
  (37,'EGPSD','EG','Port Said',ST_GeomFromText('POINT(32.3 31.26)'),'02:00:00.000'),(38,'AEJEA','AE','Jebel Ali',ST_GeomFromText('POINT(55.06 25.01)'),'04:00:00.000'),
  (39,'BHAHD','BH','Al Hidd',ST_GeomFromText('POINT(50.65 26.24)'),'03:00:00.000'),(40,'INBOM','IN','Mumbai',ST_GeomFromText('POINT(72.84 18.95)'),'05:30:00.000'),
  (41,'SGSIN','SG','Singapore',ST_GeomFromText('POINT(103.84 1.26)'),'08:00:00.000'),(42,'CNSHA','CN','上海',ST_GeomFromText('POINT(121.49 31.23)'),'08:00:00.000'),
  (43,'CNNGB','CN','宁波',ST_GeomFromText('POINT(121.55 29.87)'),'08:00:00.000'),(44,'KRPUS','KR','부산',ST_GeomFromText('POINT(129.04 35.1)'),'09:00:00.000'),
  (45,'JPYOK','JP','横浜',ST_GeomFromText('POINT(139.65 35.45)'),'09:00:00.000'),(46,'AUSYD','AU','Sydney',ST_GeomFromText('POINT(151.21 -33.86)'),'10:00:00.000'),
  (47,'TRIST','TR','İstanbul',ST_GeomFromText('POINT(28.98 41.02)'),'03:00:00.000'),(48,'UAODS','UA','Одеса',ST_GeomFromText('POINT(30.75 46.49)'),'02:00:00.000');

INSERT INTO berth (id, port_id, label, outline, draught_m, fittings)
  SELECT n, 1 + (n - 1) DIV 5, CONCAT(CHAR(65 + (n - 1) MOD 5 USING ascii), '-', n),
         ST_GeomFromText(CONCAT('POLYGON((', n, ' 0, ', n, '.5 0, ', n, '.5 ', n MOD 7 + 1, ', ', n, ' ', n MOD 7 + 1, ', ', n, ' 0))')),
         4 + (n * 37 MOD 140) / 10, n MOD 32
  FROM counter WHERE n <= 240;

INSERT INTO category (id, parent_id, name) VALUES
  (0,NULL,'Unsorted'),(1,NULL,'Deck'),(2,NULL,'Engine'),(3,NULL,'Galley'),(4,NULL,'Safety'),(5,NULL,'Navigation'),(6,NULL,'Bonded stores'),
  (7,1,'Rope'),(8,1,'Paint'),(9,1,'Chain & shackles'),(10,2,'Filters'),(11,2,'Lubricants'),(12,2,'Gaskets'),(13,3,'Dry food'),(14,3,'Frozen food'),
  (15,3,'Crockery'),(16,4,'Lifejackets'),(17,4,'Flares'),(18,4,'Fire fighting'),(19,5,'Charts'),(20,5,'Lamps'),(21,6,'Spirits'),(22,6,'Tobacco'),
  (23,7,'Mooring rope'),(24,7,'Twine'),(25,8,'Antifouling'),(26,8,'Primer'),(27,11,'Two-stroke oil'),(28,19,'Electronic charts'),(29,23,'Ropes > 60 mm');

INSERT INTO dock_sign VALUES
  ('Rotterdam','No swimming',b'1'),('Rotterdam','No swimming',b'1'),('Rotterdam','No swimming',b'1'),('Rotterdam','no swimming',b'1'),('Hamburg','Vorsicht, Kran! 🏗',b'0'),
  ('Hamburg','Vorsicht, Kran! 🏗',b'0'),(NULL,NULL,NULL),(NULL,NULL,NULL),('','',NULL),('Bergen ','trailing space ',b'1'),('Bergen','trailing space',b'1'),('\\N','NULL',b'0');

INSERT INTO `tide log` (`key`, `we``ird`, `Größe`, `select`) SELECT n - 10, CONCAT('`', n, '`'), n / 7, 1990 + n FROM counter WHERE n <= 20;

-- ------------------------------------------------------------------ people and partners

INSERT INTO customer (id, email, full_name, country_code, credit_limit, preferences, risk_score, created_at, updated_at)
  SELECT n, CONCAT('c', n, '@', ELT(1 + n MOD 6, 'example.com', 'EXAMPLE.org', 'ships.example', 'häfen.example', 'mail.example', 'x.example')),
         CONCAT(ELT(1 + n * 7 MOD 12, 'Ada', 'Björn', 'Chloë', 'Đorđe', 'Eve', 'François', 'Gül', 'Hiro', 'Ines', 'José', 'Kari', 'Łukasz'), ' ',
                ELT(1 + n * 11 MOD 13, 'Ahab', 'Bligh', 'Cook', 'Drake', 'Eriksson', 'FitzRoy', 'O''Brian', 'Hornblower', 'Ishmael', 'Jones', 'Kidd', 'López', 'de Ruyter')),
         ELT(1 + n * 5 MOD 8, 'NL', 'DE', 'FR', 'GB', 'SE', 'US', 'JP', 'BR'), (n * 7919 MOD 5000000) / 100,
         IF(n MOD 9 = 0, NULL, JSON_OBJECT('newsletter', n MOD 2 = 0, 'language', ELT(1 + n MOD 4, 'en', 'de', '日本語', 'fr'), 'berth', n MOD 240, 'ratio', n / 8)),
         n * 13 MOD 100, TIMESTAMPADD(MICROSECOND, n * 7654321, '2023-01-01 00:00:00.000000'), TIMESTAMPADD(MICROSECOND, n * 86413579, '2025-01-01 00:00:00.000000')
  FROM counter WHERE n <= 1500;

INSERT INTO customer_address (customer_id, kind, line1, line2, country_code, updated_at)
  SELECT 1 + (n - 1) DIV 2, 1 + (n + (n - 1) DIV 2) MOD 4, CONCAT(n, ' Quay Street'), IF(n MOD 3 = 0, NULL, IF(n MOD 3 = 1, '', CONCAT('Tab\there, back\\slash ', n))),
         ELT(1 + n MOD 5, 'NL', 'DE', 'NO', 'GB', 'US'), TIMESTAMPADD(SECOND, n DIV 10, '2025-02-01 00:00:00')
  FROM counter WHERE n <= 3000;

INSERT INTO customer_note (id, customer_id, body, deleted_at, updated_at)
  SELECT n, 1 + n * 17 MOD 1500, CONCAT(ELT(1 + n MOD 5, 'Wants rope in metres, not fathoms.', 'Pays late; call the agent first.', 'Line one\nline two\r\nline three', 'Allergic to “smart quotes”.', 'Says \\N and means NULL.'), ' #', n),
         IF(n MOD 11 = 0, TIMESTAMPADD(MICROSECOND, n, '2025-05-05 05:05:05.000000'), NULL), TIMESTAMPADD(MICROSECOND, n * 1000003, '2025-05-01 00:00:00.000000')
  FROM counter WHERE n <= 800;

-- The order of these keys differs between bytes and the collation.
INSERT INTO loyalty_card (member_code, customer_id, points, updated_at)
  SELECT CONCAT(ELT(1 + n MOD 8, 'anchor', 'Anker', 'Äther', 'zulu', 'Zebra', 'ørn', 'b_', 'B%'), IF(n MOD 2 = 0, '-', ' '), n, IF(n MOD 10 = 0, ' x', '')), IF(n MOD 7 = 0, NULL, 1 + n * 3 MOD 1500),
         n * 31 MOD 9000, TIMESTAMPADD(MICROSECOND, n * 3600001, '2025-03-01 00:00:00.000000')
  FROM counter WHERE n <= 600;
INSERT INTO loyalty_card (member_code, customer_id, points, updated_at) VALUES ('', NULL, 0, '2025-03-01 00:00:00'), ('\\', NULL, 1, '2025-03-01 00:00:00'), ('''', NULL, 2, '2025-03-01 00:00:00'), ('⚓', NULL, 3, '2025-03-01 00:00:00');

INSERT INTO loyalty_movement (member_code, movement_no, points, reason)
  SELECT c.member_code, m.n, c.points MOD 97 - 40 + m.n, ELT(m.n, 'purchase', 'return ', 'gift')
  FROM loyalty_card AS c JOIN counter AS m ON m.n <= 3;

INSERT INTO supplier (id, name, home_port_id, rating, updated_at)
  SELECT n, CONCAT(ELT(1 + n MOD 4, 'Müller & Söhne ', 'Frères Lefèvre ', 'Smith''s ', 'Señor Cabo '), n), IF(n MOD 6 = 0, NULL, 1 + n MOD 48), n / 7,
         IF(n MOD 10 = 0, NULL, TIMESTAMPADD(SECOND, n * 977, '2024-06-01 00:00:00.123'))
  FROM counter WHERE n <= 120;

INSERT INTO ship (id, imo_number, name, owner_id, captain_id, gross_tonnage, built, updated_at)
  SELECT n, IF(n MOD 20 = 0, NULL, 9000000 + n), CONCAT(ELT(1 + n MOD 6, 'Pequod', 'Nautilus', 'Santa María', 'Kon-Tiki', 'Endurance', 'Gjøa'), ' ', n), 1 + n * 19 MOD 1500,
         IF(n MOD 15 = 0, NULL, (n - 1) * 4 + 1), 200 + n * 4813 MOD 200000, IF(n MOD 25 = 0, NULL, 1960 + n MOD 65), TIMESTAMPADD(MICROSECOND, n * 5000017, '2025-04-01 00:00:00.000000')
  FROM counter WHERE n <= 250;

INSERT INTO crew_member (id, ship_id, reports_to, full_name, trade, updated_at)
  SELECT n, 1 + (n - 1) DIV 4, IF((n - 1) MOD 4 = 0, NULL, n - (n - 1) MOD 4), CONCAT(ELT(1 + n MOD 5, 'Queequeg', 'Starbuck', 'Stubb', 'Flask', 'Daggoo'), ' ', n), 1 + n MOD 4,
         TIMESTAMPADD(SECOND, n * 61, '2025-04-02 00:00:00')
  FROM counter WHERE n <= 1000;

-- ------------------------------------------------------------------ goods

INSERT INTO product (id, sku, category_id, supplier_id, name, french_name, description, hazards, weight_kg, length_mm, attributes, updated_at)
  SELECT n, CONCAT('SKU-', LPAD(n, 5, '0')), n * 7 MOD 30, IF(n MOD 12 = 0, NULL, 1 + n MOD 120),
         CONCAT(ELT(1 + n MOD 8, 'Mooring rope', 'Shackle', 'Marine paint', 'Oil filter', 'Lifejacket', 'Signal flare', 'Rum', 'Chart'), ' no. ', n),
         IF(n MOD 5 = 0, NULL, CONCAT(ELT(1 + n MOD 4, 'Corde d''amarrage', 'Peinture épaisse', 'Gilet de sauvetage', 'Fusée à étoiles'), ' n° ', n)),
         IF(n MOD 8 = 0, NULL, CONCAT('For ships of ', n MOD 900, ' tons; ', ELT(1 + n MOD 3, 'resists salt water', 'made of stainless steel', 'not for human consumption'), '. ', REPEAT('Stow dry. ', n MOD 20))),
         IF(n MOD 4 = 0, NULL, n MOD 16), n * 0.0123456789, IF(n MOD 6 = 0, NULL, SQRT(n) * 10),
         IF(n MOD 10 = 0, NULL, JSON_OBJECT('colour', ELT(1 + n MOD 5, 'red', 'signal orange', 'blå', 'black', 'white'), 'sizes', JSON_ARRAY(n MOD 7, n MOD 11, n / 4), 'note', IF(n MOD 3 = 0, '⚓ "quoted" \\ back', NULL))),
         TIMESTAMPADD(MICROSECOND, n * 1234567, '2025-06-01 00:00:00.000000')
  FROM counter WHERE n <= 1200;

-- One bulk update wrote all dollar and yen prices in the same second.
INSERT INTO product_price (product_id, currency_code, valid_from, amount, updated_at)
  SELECT 1 + (n - 1) DIV 3, ELT(1 + n MOD 3, 'EUR', 'USD', 'JPY'), IF(n MOD 100 = 0, '0000-00-00', TIMESTAMPADD(DAY, n MOD 300, '2024-01-01')), n * 137 MOD 1000000 / 100,
         IF(n MOD 3 = 0, TIMESTAMPADD(SECOND, n, '2025-06-15 00:00:00'), '2025-07-01 12:00:00')
  FROM counter WHERE n <= 3600;

INSERT INTO warehouse (id, port_id, name, opens) SELECT n, n * 4, CONCAT('Shed ', n), SEC_TO_TIME(18000 + n * 600) FROM counter WHERE n <= 12;

INSERT INTO stock (warehouse_id, product_id, on_hand, reserved, shelf, updated_at)
  SELECT w.id, p.id, p.id * 13 MOD 500 + w.id, p.id MOD 7, IF(p.id MOD 5 = 0, NULL, UNHEX(LPAD(HEX(p.id * 256 MOD 16777216), 8, '0'))),
         TIMESTAMPADD(MICROSECOND, p.id * 999983 + w.id, '2025-07-10 00:00:00.000000')
  FROM warehouse AS w JOIN product AS p ON (p.id + w.id) MOD 3 = 0;

INSERT INTO document (id, product_id, title, body, scan, digest, created_at)
  SELECT n, IF(n MOD 4 = 0, NULL, n * 30), CONCAT('Data sheet ', n), IF(n MOD 7 = 0, NULL, REPEAT(CONCAT('Seite ', n, ' – Größe\t½\n'), n * n)),
         IF(n MOD 5 = 0, '', REPEAT(UNHEX(CONCAT('00', SHA2(n, 256), '0A0D1A5C27FF')), n * n * 4)), UNHEX(SHA2(CONCAT('document', n), 256)), TIMESTAMPADD(MICROSECOND, n * 60000001, '2025-01-15 00:00:00.000000')
  FROM counter WHERE n <= 40;

-- ------------------------------------------------------------------ sales

INSERT INTO `order` (id, customer_id, ship_id, warehouse_id, status, currency_code, total, placed_at, updated_at)
  SELECT n, 1 + n * 23 MOD 1500, IF(n MOD 5 = 0, NULL, 1 + n MOD 250), 1 + n MOD 12, 1 + n * 3 MOD 5, ELT(1 + n MOD 3, 'EUR', 'USD', 'JPY'), n * 977 MOD 1000000 / 100,
         TIMESTAMPADD(MICROSECOND, n * 4321987, '2025-08-01 00:00:00.000000'), TIMESTAMPADD(MICROSECOND, n * 4999999, '2025-08-01 06:00:00.000000')
  FROM counter WHERE n <= 3000;

INSERT INTO order_line (order_id, line_no, product_id, quantity, unit_price, updated_at)
  SELECT o.id, l.n, 1 + (o.id * 7 + l.n * 311) MOD 1200, 1 + (o.id + l.n) MOD 12, (o.id * l.n * 53 MOD 90000) / 100, o.updated_at
  FROM `order` AS o JOIN counter AS l ON l.n <= 1 + o.id MOD 4;

INSERT INTO payment (id, order_id, method, amount, created_at)
  SELECT n, n, 1 + n MOD 4, n * 977 MOD 1000000 / 100, TIMESTAMPADD(MICROSECOND, n * 5432101, '2025-08-02 00:00:00.000000')
  FROM counter WHERE n <= 2200;

INSERT INTO cart (id, customer_id, currency_code, updated_at)
  SELECT UNHEX(LEFT(SHA2(CONCAT('cart', n), 256), 32)), IF(n MOD 3 = 0, NULL, 1 + n * 29 MOD 1500), ELT(1 + n MOD 2, 'EUR', 'USD'), TIMESTAMPADD(MICROSECOND, n * 777777, '2025-09-01 00:00:00.000000')
  FROM counter WHERE n <= 600;
-- Keys that start and end in zero bytes.
INSERT INTO cart (id, customer_id, updated_at) VALUES (UNHEX(REPEAT('00', 16)), NULL, '2025-09-02 00:00:00'), (UNHEX(CONCAT('01', REPEAT('00', 15))), 1, '2025-09-02 00:00:00'), (UNHEX(REPEAT('FF', 16)), 2, '2025-09-02 00:00:00');

INSERT INTO cart_line (cart_id, product_id, quantity)
  SELECT UNHEX(LEFT(SHA2(CONCAT('cart', 1 + (n - 1) DIV 3), 256), 32)), 1 + n * 41 MOD 1200, 1 + n MOD 9 FROM counter WHERE n <= 1800;

INSERT INTO cart_tombstone (id, cart_id, deleted_at)
  SELECT n, UNHEX(LEFT(SHA2(CONCAT('gone', n), 256), 32)), TIMESTAMPADD(MICROSECOND, n * 1111111, '2025-09-03 00:00:00.000000') FROM counter WHERE n <= 100;

INSERT INTO session (token, customer_id, payload, expires_at)
  SELECT UNHEX(LEFT(SHA2(CONCAT('session', n), 256), 2 + 2 * (8 + n MOD 24))), IF(n MOD 2 = 0, NULL, 1 + n MOD 1500), IF(n MOD 7 = 0, NULL, REPEAT(CONCAT('k=', n, ';\0'), n MOD 30)), TIMESTAMPADD(MINUTE, n, '2035-01-01 00:00:00')
  FROM counter WHERE n <= 800;

INSERT INTO voucher (code, percent_off, valid_until) SELECT IF(n MOD 5 = 0, NULL, CONCAT('SAIL', n)), n MOD 4 * 5, IF(n MOD 6 = 0, NULL, TIMESTAMPADD(DAY, n, '2025-12-01')) FROM counter WHERE n <= 50;
INSERT INTO voucher VALUES (NULL, 5.00, NULL), (NULL, 5.00, NULL);

-- ------------------------------------------------------------------ ledgers and measurements

INSERT INTO audit_trail (id, actor, action, subject, detail, created_at)
  SELECT n, CONCAT('user', n MOD 37), 1 + n MOD 4, CONCAT('order/', 1 + n MOD 3000), IF(n MOD 6 = 0, NULL, JSON_OBJECT('n', n, 'ip', CONCAT('10.0.', n MOD 256, '.', n * 7 MOD 256))),
         TIMESTAMPADD(MICROSECOND, n * 2000003, '2025-08-01 00:00:00.000000')
  FROM counter WHERE n <= 5000;

INSERT INTO ledger_entry (id, account, amount, order_id, created_at)
  SELECT n, CONCAT('4', LPAD(n MOD 40, 3, '0')), IF(n MOD 2 = 0, -1, 1) * ((n + 1) DIV 2 * 4241 MOD 10000000) / 10000, IF(n MOD 8 = 0, NULL, 1 + n MOD 3000), TIMESTAMPADD(MICROSECOND, n * 3000017, '2025-08-01 00:00:00.000000')
  FROM counter WHERE n <= 4000;

INSERT INTO gate_reading (gate_no, read_at, direction, axle_load_t)
  SELECT 1 + n MOD 8, TIMESTAMPADD(MINUTE, n * 320, '2023-06-01 00:00:00.250'), n MOD 4, IF(n MOD 13 = 0, NULL, n / 3) FROM counter WHERE n <= 4000;

INSERT INTO meter (id, port_id, reading, updated_at)
  SELECT (n - 150) * 100000000 + n MOD 3, 1 + n MOD 48, n * 1.1 + 1 / n, TIMESTAMPADD(MICROSECOND, n * 17, '2025-10-01 00:00:00.000000') FROM counter WHERE n <= 300;

INSERT INTO container_seal (seal_no, port_id, broken, updated_at)
  SELECT IF(n <= 400, 18446744073709551615 - (n - 1) * 1000003, 9223372036854775808 - 450 + n), 1 + n MOD 48, n MOD 17 = 0, TIMESTAMPADD(MICROSECOND, n * 999, '2025-10-02 00:00:00.000000')
  FROM counter WHERE n <= 500;

DROP TEMPORARY TABLE counter;

-- ------------------------------------------------------------------ one column of each type

INSERT INTO types (id) VALUES (0);

-- Numbers: first, last, and what text forms bend.  Id 3 holds -0.0 on MySQL; MariaDB stores a zero without its sign.
INSERT INTO types (id, t_tinyint, t_smallint, t_mediumint, t_int, t_bigint, t_tinyint_u, t_smallint_u, t_mediumint_u, t_int_u, t_bigint_u, t_bool, t_decimal, t_decimal_wide, t_float, t_double, t_bit1, t_bit9, t_bit64) VALUES
  (-2147483648, -128, -32768, -8388608, -2147483648, -9223372036854775808, 0, 0, 0, 0, 0, 0, -99999999999999999999.9999999999, -99999999999999999999999999999999999.999999999999999999999999999999, -3.40282e38, -1.7976931348623157e308, b'0', b'0', b'0'),
  (2147483647, 127, 32767, 8388607, 2147483647, 9223372036854775807, 255, 65535, 16777215, 4294967295, 18446744073709551615, 127, 99999999999999999999.9999999999, 99999999999999999999999999999999999.999999999999999999999999999999, 3.40282e38, 1.7976931348623157e308, b'1', b'111111111', X'FFFFFFFFFFFFFFFF'),
  (1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 9223372036854775808, 1, 0, 0.000000000000000000000000000001, 0.0105162523686885830, 5e-324, b'1', b'100000000', X'8000000000000000'),
  (2, -1, -1, -1, -1, -1, 128, 32768, 8388608, 2147483648, 9223372036854775807, -1, -0.0000000001, -0.5, 1.17549435e-38, 2.2250738585072014e-308, b'0', X'5C', X'5C0A0D0900271A22'),
  (3, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1, 1.10, 1.10, '-0', '-0', b'1', b'1010', b'1010'),
  (4, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 1, 0.1, 0.1, 0, 0, b'1', b'1010', b'1010'),
  (5, 12, 12, 12, 12, 9007199254740993, 12, 12, 12, 12, 9007199254740993, 0, 12345678901234567890.0123456789, 0.1, 16777217, 0.30000000000000004, NULL, NULL, NULL);

-- Dates: zero, partly zero, impossible, first and last; times below zero.
INSERT INTO types (id, t_date, t_time, t_time3, t_time6, t_datetime, t_datetime6, t_timestamp, t_timestamp6, t_year) VALUES
  (10, '0000-00-00', '00:00:00', '00:00:00.000', '00:00:00.000000', '0000-00-00 00:00:00', '0000-00-00 00:00:00.000000', '0000-00-00 00:00:00', '0000-00-00 00:00:00.000000', 0),
  (11, '1000-01-01', '-838:59:59', '-838:59:58.999', '-838:59:58.999999', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000001', 1901),
  (12, '9999-12-31', '838:59:59', '838:59:58.999', '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.000000', 2155),
  (13, '2020-02-30', '-00:00:01', '-00:00:00.001', '-00:00:00.000001', '2021-02-31 10:00:00', '2021-04-31 10:00:00.500000', '2024-03-31 01:30:00', '2024-10-27 00:30:00.123456', 1999),
  (14, '2024-00-00', '12:34:56', '12:34:56.789', '12:34:56.789012', '2024-02-00 00:00:00', '2024-02-29 23:59:59.999999', '2024-10-27 01:30:00', '2024-10-27 01:30:00.999999', 2024);

-- Texts that look like something else, and every byte from 0 to 255.
INSERT INTO types (id, t_char, t_varchar, t_binary, t_varbinary, t_tinyblob, t_blob, t_mediumblob, t_longblob, t_tinytext, t_text, t_mediumtext, t_longtext, t_enum, t_set) VALUES
  (20, '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (21, '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', 'small', 'a'),
  (22, 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'Größe', 'a,b,été,d e'),
  (23, 'tab\tnl\n', 'tab\tnl\ncr\rzero\0sub\Zback\\quote''double"', 'tab\tnl\n', 'tab\tnl\ncr\rzero\0sub\Zback\\quote''double"', '\t', '\n', '\r', '\0', '\Z', '\\', '''', '"', 'comma, quote '' and \\', 'été'),
  (24, '⚓🚢', 'emoji 👩‍🚀 é é', X'0000000000000000', X'00', X'00', X'0000', X'00FF', X'FF00', '🚢', '🚢\\', '\\🚢', '🚢🚢', 'Größe', 'd e'),
  (25, 'pad', 'trailing space ', 'ab ', 'ab ', 'ab ', 'ab\0', ' ', '  ', ' lead', 'trail ', ' ', '\n', NULL, NULL),
  (26, 'PAD', 'trailing space', 'ab\0', 'ab\0', 'ab', 'ab', X'C3', X'EDA080', '%', '_', '--', ';', 'small', 'b');
UPDATE types SET t_varbinary = UNHEX(CONCAT(
  '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F',
  '404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F',
  '808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF',
  'C0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF')) WHERE id = 26;
UPDATE types SET t_longblob = REPEAT(t_varbinary, 2000), t_longtext = REPEAT('Ωmega\\\t', 30000) WHERE id = 26;

INSERT INTO types (id, t_json, t_point, t_linestring, t_geometry, t_geometrycollection) VALUES
  (30, 'null', ST_GeomFromText('POINT(0 0)'), ST_GeomFromText('LINESTRING(0 0, 1 1)'), ST_GeomFromText('POINT(-0.5 1e10)'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 3 4))')),
  (31, '{"b": 1, "a": [1, 2.5, "x\\ty", null, true], "emoji": "🚢", "big": 9007199254740993}', ST_GeomFromText('POINT(1.5 -2.25)', 4326), ST_GeomFromText('LINESTRING(0 0, 5 5, 9 1)', 3857), ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))'), NULL),
  (32, '[]', NULL, NULL, ST_GeomFromText('MULTIPOINT(1 1, 2 2)'), NULL),
  (33, '"just text with \\\\ and \\u0000"', ST_GeomFromText('POINT(1e-300 1e300)'), NULL, ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))'), NULL),
  (34, '1.7976931348623157e308', NULL, NULL, NULL, NULL),
  (35, '0.1', NULL, NULL, NULL, NULL);
/*M!100600 UPDATE types SET t_inet6 = ELT(id - 29, '::', '::1', '::ffff:192.0.2.1', '2001:db8::ff00:42:8329', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', NULL) WHERE id BETWEEN 30 AND 35 */;
/*M!100700 UPDATE types SET t_uuid = ELT(id - 29, '00000000-0000-0000-0000-000000000000', '123e4567-e89b-12d3-a456-426655440000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL, NULL, NULL) WHERE id BETWEEN 30 AND 35 */;
/*!90000 UPDATE types SET t_vector = STRING_TO_VECTOR(ELT(id - 29, '[0,0,0]', '[1.5,-2.5,3e38]', '[-0.0,1e-30,0.1]')) WHERE id BETWEEN 30 AND 32 */;

-- Character sets.  X'815C' is one gbk letter whose second byte is a backslash; X'835C' is the same trap in sjis.
INSERT INTO texts (id, c_latin1, c_latin1_bin, c_general, c_unicode, c_bin, c_utf16, c_gbk, c_sjis, c_binary, c_ascii) VALUES
  (1, 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain'),
  (2, _latin1 X'E4F6FCDF80', _latin1 X'00FF5C27', 'Straße', 'STRASSE', 'straße', '🚢⚓', _gbk X'815C', _sjis X'835C', X'815C00FF', ''),
  (3, '', '', '', '', '', '', '', '', '', ''),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, '\\N', '\\N', '\\N', '\\N', '\\N', '\\N', _gbk X'815C815C815C', '\\N', '\\N', '\\N'),
  (6, 'a ', 'a ', 'a ', 'A ', 'a ', 'a ', 'a ', 'a ', 'a ', 'a'),
  (7, 'a', 'a', 'a', 'A', 'a', 'a', 'a', 'a', 'a', 'a'),
  (8, 'NULL', 'NULL', 'é', 'é', 'é', 'é', _gbk X'D6D0B9FA', _sjis X'93FA967B', 'é', 'x\ty'),
  (9, _latin1 X'818D8F909D', _latin1 X'818D8F909D', '👨‍👩‍👧', '𝔘𝔫𝔦', '�', '𝔘\0\n', _gbk X'8140A1A1FEA0', _sjis X'5C7E', X'', '~');

SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT IGNORE INTO legacy_flag (id, flag, seen_on) VALUES (1, 'yes', '2025-01-01'), (2, 'no', '2025-01-02'), (3, 'maybe', '2025-01-03'), (4, '', '2025-01-04');
UPDATE legacy_flag SET seen_on = '0000-00-00' WHERE id = 4;

SET foreign_key_checks = 1;
SET sql_mode = @harbor_old_sql_mode;
