-- Definitions that have misled tools, or could: on both servers.
SET NAMES utf8mb4;
SET foreign_key_checks=0;
/*!80400 SET restrict_fk_on_non_standard_key=0 */;
DROP DATABASE IF EXISTS shape_nasty; CREATE DATABASE shape_nasty CHARACTER SET latin1 COLLATE latin1_swedish_ci; 
DROP DATABASE IF EXISTS shape_nasty2; CREATE DATABASE shape_nasty2;
USE shape_nasty;
CREATE TABLE shape_nasty2.`par``ent` (id INT PRIMARY KEY, b int, unique key (b,id));
CREATE TABLE `t``1 (KEY` (
 id int not null auto_increment,
 `PRIMARY KEY (` varchar(20) comment 'x), \n KEY `a` (`b`) '' ; CONSTRAINT',
 `KEY` int default 5,
 d datetime(3) default current_timestamp(3) on update current_timestamp(3),
 e varchar(30) default (concat('a,b',')')),
 g int generated always as (id2+1) virtual comment ', CHECK (',
 s varchar(40) generated always as (concat(`KEY`, '),\\'' ,')) stored,
 id2 int not null,
 hid int invisible default 7,
 c1 int check (c1 > 0),
 en enum('a,b','c''d','KEY (','\\') character set utf8mb4,
 txt text, txt2 text character set utf8mb4,
 PRIMARY KEY (id2, `KEY`),
 KEY auto (id),
 UNIQUE KEY `u``q` (`PRIMARY KEY (`(5), id2) comment 'uq, KEY',
 KEY k1 (txt(10)) comment 'FULLTEXT KEY',
 KEY k2 (d desc, e(3)),
 KEY g1 (g),
 FULLTEXT KEY f1 (txt), FULLTEXT KEY f2 (txt2),
 CONSTRAINT `f``k1` FOREIGN KEY (id2) REFERENCES shape_nasty2.`par``ent` (id) ON DELETE CASCADE,
 CONSTRAINT `CHECK (` CHECK (id2 > 0 and `KEY` <> ')')
) comment='tail ) , KEY `x` (`y`)\n) ENGINE=Foo';
CREATE TABLE child (id int primary key, p int, p2 int, key(p), key big (p2) , CONSTRAINT c1 FOREIGN KEY (p) REFERENCES `t``1 (KEY` (id2) ON UPDATE CASCADE, constraint c2 foreign key (p2) references child(id));
CREATE TABLE parts (id int not null, y date not null, v int, primary key (id,y), key (v)) partition by range (year(y)) (partition p0 values less than (2000) comment='a)b', partition p1 values less than maxvalue);
CREATE TABLE sub (id int not null, y date not null, key(y)) partition by range (year(y)) subpartition by hash(to_days(y)) subpartitions 2 (partition p0 values less than (2000), partition p1 values less than maxvalue);
CREATE TABLE opts (id int primary key) row_format=compressed key_block_size=8 stats_persistent=0 comment='x';
CREATE TABLE nokey (a int, b varchar(3));
CREATE TABLE mem (a int) engine=memory;
CREATE TABLE isam (a int) engine=myisam;
CREATE TABLE noauto (x int unsigned auto_increment unique, y int, key k(y, x));
CREATE TABLE autoplain (x int auto_increment, y int, key k1(y), key k2(x,y), key k3(x)) auto_increment=77;
CREATE TABLE uniqnull (a int, b int, unique key(a), unique key z(b desc));
CREATE TABLE `Größe` (`ключ` int primary key comment 'naïve', v varchar(9) character set utf8mb4 default 'ü', w varchar(20) character set utf8mb4 generated always as (concat(v,'😀')) virtual, check (v <> '😀')) character set utf8mb4;
CREATE TABLE ansi (a int, key x (a));
CREATE VIEW `z second` AS SELECT id AS `i``d`, 'é😀' AS txt FROM child WHERE p <> 'ü';
CREATE VIEW `a first` AS SELECT * FROM `z second`;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW other (`x`, `VIEW y`) AS SELECT a, b FROM nokey WITH CASCADED CHECK OPTION;
SET sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT';
CREATE VIEW "in ansi" AS SELECT 'a' || 'b' AS "c", "a" FROM "ansi";
CREATE FUNCTION "an si"(a varchar(10)) RETURNS varchar(20) DETERMINISTIC RETURN a || 'é😀' -- the end, isn't it
;
SET sql_mode=DEFAULT;
CREATE PROCEDURE `last``one`() COMMENT 'it''s `quoted`' SELECT 'é😀;' AS x /* don't */;
