-- What only MySQL has.
CREATE TABLE func (id int primary key, j json, n varchar(50), i int, key fk ((lower(n)), id), unique key u1 ((i+1)), key mv ((cast(j->'$.a' as unsigned array))), key inv(n) invisible, g point not null srid 4326, spatial key sp (g));
CREATE TABLE nopk (a int invisible not null primary key, b int);
CREATE TABLE chk (a int, constraint ne check (a<5) not enforced);
CREATE TABLE vec (id int primary key, v vector(3));
