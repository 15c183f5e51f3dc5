create table thing (n integer primary key, name text not null);
