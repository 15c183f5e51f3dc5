create table thing (n nonsense);
