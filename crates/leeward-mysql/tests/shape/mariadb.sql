-- What only MariaDB has.
CREATE TABLE sysv (id int primary key, v int) with system versioning;
CREATE TABLE sysv2 (id int primary key, v int, s timestamp(6) generated always as row start, e timestamp(6) generated always as row end, period for system_time(s,e)) with system versioning;
CREATE TABLE appt (id int, s date not null, e date not null, period for p(s,e), unique(id, p without overlaps));
CREATE SEQUENCE seq start with 5;
CREATE TABLE uu (id uuid primary key default uuid(), ip inet6, key(ip));
CREATE TABLE ign (a int, key k (a) ignored);
CREATE TABLE comp (id int primary key, c varchar(500) compressed, j json, t text compressed);
CREATE TABLE hashk (id int primary key, t text, unique key (t));
CREATE TABLE pc (id int primary key) page_compressed=1;
